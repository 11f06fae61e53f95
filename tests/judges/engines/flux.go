package main

// A turn of Flux's kustomize-controller with one Kustomization: it applies the manifests, says how they differ, or
// waits for their health. The options are those of the controller, as far as they concern our kinds.

import (
	"context"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var fluxOwner = ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}

// kubectlFields is what the controller takes over, and so takes back: all that programs have set whose names begin so.
var kubectlFields = []ssa.FieldManager{
	{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
	{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
	{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
	{Name: fluxOwner.Field, OperationType: metav1.ManagedFieldsOperationUpdate},
}

type fluxQuestion struct {
	Kubeconfig    string    `json:"kubeconfig"`
	Kustomization *Object   `json:"kustomization"`
	Manifests     []*Object `json:"manifests"`
	// Seconds is how long `flux-wait` waits; spec.timeout would be too long for a test.
	Seconds float64 `json:"seconds"`
}

// change is what happened, or would happen, to one object: created, configured, or unchanged.
type change struct {
	Object string `json:"object"`
	Action string `json:"action"`
}

func fluxApply(question fluxQuestion) ([]change, error) {
	manager, objects, err := question.manager()
	if err != nil {
		return nil, err
	}
	options := ssa.DefaultApplyOptions()
	options.Cleanup.FieldManagers = kubectlFields
	applied, err := manager.ApplyAllStaged(context.Background(), objects, options)
	if err != nil {
		return nil, err
	}
	changes := make([]change, 0, len(applied.Entries))
	for _, it := range applied.Entries {
		changes = append(changes, change{it.Subject, it.Action.String()})
	}
	return changes, nil
}

func fluxDiff(question fluxQuestion) ([]change, error) {
	manager, objects, err := question.manager()
	if err != nil {
		return nil, err
	}
	changes := make([]change, 0, len(objects))
	for _, it := range objects {
		found, _, _, err := manager.Diff(context.Background(), it, ssa.DefaultDiffOptions())
		if err != nil {
			return nil, err
		}
		changes = append(changes, change{found.Subject, found.Action.String()})
	}
	return changes, nil
}

// ending is how a wait ended; the error is empty where everything is as it should be.
type ending struct {
	Error string `json:"error"`
}

func fluxWait(question fluxQuestion) (ending, error) {
	manager, objects, err := question.manager()
	if err != nil {
		return ending{}, err
	}
	// The controller looks every 5 seconds, and fails fast unless it is told otherwise.
	err = manager.WaitForSet(object.UnstructuredSetToObjMetadataSet(objects), ssa.WaitOptions{
		Interval: 100 * time.Millisecond,
		Timeout:  time.Duration(question.Seconds * float64(time.Second)),
		FailFast: true,
	})
	if err != nil {
		return ending{err.Error()}, nil
	}
	return ending{}, nil
}

// manager returns Flux's manager of resources, and the manifests as Flux applies them.
func (question fluxQuestion) manager() (*ssa.ResourceManager, []*Object, error) {
	config, err := clientcmd.BuildConfigFromFlags("", question.Kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.QPS = -1 // a wait that looks ten times a second must not be held back by its own client
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return nil, nil, err
	}
	expressions, err := healthExpressions([]*Object{question.Kustomization})
	if err != nil {
		return nil, nil, err
	}
	poller := polling.NewStatusPoller(cluster, cluster.RESTMapper(), polling.Options{
		CustomStatusReaders: []engine.StatusReader{expressions(cluster.RESTMapper())},
	})
	manager := ssa.NewResourceManager(cluster, poller, fluxOwner)
	manager.SetOwnerLabels(question.Manifests, question.Kustomization.GetName(), question.Kustomization.GetNamespace())
	return manager, question.Manifests, normalize.UnstructuredList(question.Manifests)
}

// healthExpressions returns what reads the status of kinds for which Kustomizations have expressions.
func healthExpressions(kustomizations []*Object) (func(meta.RESTMapper) engine.StatusReader, error) {
	var checks []kustomize.CustomHealthCheck
	for _, it := range kustomizations {
		var found struct {
			Spec struct {
				HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
			} `json:"spec"`
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(it.Object, &found); err != nil {
			return nil, fmt.Errorf("the Kustomization %s cannot be read: %w", it.GetName(), err)
		}
		checks = append(checks, found.Spec.HealthCheckExprs...)
	}
	return cel.NewStatusReader(checks)
}
