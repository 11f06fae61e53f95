// Engines says what Flux and Argo CD make of objects, by their own packages, and acts on an API server as they do.
//
// The argument is a command, standard input one JSON document with the question, standard output one with the
// answer. `judge` needs no API server; every other command is one turn of the engine's controller. Nothing is kept
// between two calls, and nothing here says what would be right: that is up to the tests in tests/judges, which ask.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime/pkg/log"
)

// Object is anything that Kubernetes keeps; numbers stay integers where they are written so.
type Object = unstructured.Unstructured

var commands = map[string]func(*json.Decoder) (any, error){
	"judge":       asked(judge),
	"argocd-diff": asked(argoDiff),
	"argocd-sync": asked(argoSync),
	"flux-apply":  asked(fluxApply),
	"flux-diff":   asked(fluxDiff),
	"flux-wait":   asked(fluxWait),
}

// asked reads the question of a command before it is answered.
func asked[Question, Answer any](command func(Question) (Answer, error)) func(*json.Decoder) (any, error) {
	return func(in *json.Decoder) (any, error) {
		var question Question
		if err := in.Decode(&question); err != nil {
			return nil, fmt.Errorf("the question cannot be read: %w", err)
		}
		return command(question)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 || commands[arguments[0]] == nil {
		return fmt.Errorf("one command is needed of %v", slices.Sorted(maps.Keys(commands)))
	}
	// Both engines log what they do; only the answer is wanted.
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	answer, err := commands[arguments[0]](json.NewDecoder(os.Stdin))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
