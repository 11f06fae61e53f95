package main

// The health scripts of Argo CD, run as Argo CD runs them.
//
// Its own runner, util/lua of argo-cd, needs the whole of Argo CD to compile. What it does for a health script is
// therefore repeated here, function by function, around the same Lua, gopher-lua in the version that argo-cd pins:
// the libraries that it opens, the second that a script has, what becomes of the object and of the answer. The health
// of everything else, and when a script is asked at all, is the code of Argo CD: health.GetResourceHealth.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

// scripts are the health scripts of argocd-cm, by `<group>_<kind>`.
type scripts map[string]string

const healthKey = "resource.customizations.health."

var shown = []health.HealthStatusCode{
	health.HealthStatusUnknown, health.HealthStatusProgressing, health.HealthStatusHealthy,
	health.HealthStatusSuspended, health.HealthStatusDegraded, health.HealthStatusMissing,
}

// healthScripts returns the scripts of the ConfigMap argocd-cm.
func healthScripts(settings *Object) (scripts, error) {
	data, _, err := unstructured.NestedStringMap(settings.Object, "data")
	if err != nil {
		return nil, err
	}
	found := scripts{}
	for key, script := range data {
		if kind, ok := strings.CutPrefix(key, healthKey); ok {
			found[kind] = script
		}
	}
	return found, nil
}

// GetResourceHealth is what health.GetResourceHealth asks for: nil where there is no script for the kind.
func (s scripts) GetResourceHealth(it *Object) (*health.HealthStatus, error) {
	kind := it.GroupVersionKind()
	script, ok := s[kind.Group+"_"+kind.Kind]
	if !ok {
		return nil, nil
	}
	return executeHealthLua(it, script)
}

// executeHealthLua is VM.ExecuteHealthLua with VM.runLua.
func executeHealthLua(it *Object, script string) (*health.HealthStatus, error) {
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("actionParams", l.NewTable())
	l.SetGlobal("obj", decodeValue(l, it.Object))
	if err := l.DoString(script); err != nil {
		return nil, err
	}
	switch result := l.Get(-1); result.Type() {
	case lua.LTNil:
		return &health.HealthStatus{}, nil
	case lua.LTTable:
		return healthOf(result)
	default:
		return nil, fmt.Errorf("expect table output from Lua script, not %s", result.Type())
	}
}

func healthOf(table lua.LValue) (*health.HealthStatus, error) {
	text, err := luajson.Encode(table)
	if err != nil {
		return nil, err
	}
	found := &health.HealthStatus{}
	var wrong *json.UnmarshalTypeError
	// An empty table of Lua becomes an empty list of JSON.
	if err := json.Unmarshal(text, found); errors.As(err, &wrong) {
		return &health.HealthStatus{}, nil
	} else if err != nil {
		return nil, err
	}
	if !slices.Contains(shown, found.Status) {
		return &health.HealthStatus{
			Status: health.HealthStatusUnknown, Message: "Lua returned an invalid health status",
		}, nil
	}
	return found, nil
}

// decodeValue is decodeValue of util/lua, for what JSON has.
func decodeValue(l *lua.LState, value any) lua.LValue {
	switch it := value.(type) {
	case bool:
		return lua.LBool(it)
	case float64:
		return lua.LNumber(it)
	case int64:
		return lua.LNumber(it)
	case string:
		return lua.LString(it)
	case []any:
		list := l.CreateTable(len(it), 0)
		for _, item := range it {
			list.Append(decodeValue(l, item))
		}
		return list
	case map[string]any:
		table := l.CreateTable(0, len(it))
		for key, item := range it {
			table.RawSetH(lua.LString(key), decodeValue(l, item))
		}
		return table
	default:
		return lua.LNil
	}
}
