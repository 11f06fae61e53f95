package main

// A turn of Argo CD's application controller with one Application: it compares the manifests with what is live, or
// takes the next step of a sync. Options are set as the controller sets them from the Application's syncOptions.

import (
	"context"
	"fmt"
	"slices"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// argoManager is in whose name Argo CD applies on the server's side (ArgoCDSSAManager).
const argoManager = "argocd-controller"

type argoQuestion struct {
	Kubeconfig string `json:"kubeconfig"`
	// Settings is the ConfigMap argocd-cm.
	Settings    *Object `json:"settings"`
	Application *Object `json:"application"`
	// Manifests name their namespace, as they do after Argo CD has filled it in.
	Manifests []*Object `json:"manifests"`
	// State is what the step before has answered; none begins a sync.
	State *syncState `json:"state"`
}

// difference says whether Argo CD calls an object OutOfSync, in each way of comparing that it has.
type difference struct {
	Object string `json:"object"`
	// ByOptions is the way that the Application's syncOptions choose.
	ByOptions bool `json:"byOptions"`
	// ServerSide is the way of the annotation `argocd.argoproj.io/compare-options: ServerSideDiff=true`.
	ServerSide bool `json:"serverSide"`
}

func argoDiff(question argoQuestion) ([]difference, error) {
	cluster, err := question.cluster()
	if err != nil {
		return nil, err
	}
	_, parser, err := cluster.kubectl.LoadOpenAPISchema(cluster.config)
	if err != nil {
		return nil, err
	}
	applier, cleanup, err := cluster.kubectl.ManageServerSideDiffDryRuns(cluster.config)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	options := []diff.Option{
		diff.WithGVKParser(parser), diff.WithManager(argoManager),
		diff.WithStructuredMergeDiff(question.has("ServerSideApply=true")),
	}
	onServer := append(slices.Clone(options),
		diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier)))
	differences := make([]difference, 0, len(question.Manifests))
	for i, it := range question.Manifests {
		byOptions, err := diff.Diff(it, cluster.live[i], options...)
		if err != nil {
			return nil, err
		}
		serverSide, err := diff.Diff(it, cluster.live[i], onServer...)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s/%s", it.GetKind(), it.GetName())
		differences = append(differences, difference{name, byOptions.Modified, serverSide.Modified})
	}
	return differences, nil
}

type syncState struct {
	// Phase is Running, Succeeded, Failed or Error.
	Phase   common.OperationPhase       `json:"phase"`
	Message string                      `json:"message"`
	Results []common.ResourceSyncResult `json:"results"`
	Started metav1.Time                 `json:"started"`
}

func argoSync(question argoQuestion) (syncState, error) {
	state := syncState{Phase: common.OperationRunning, Started: metav1.Now()}
	if question.State != nil {
		state = *question.State
	}
	cluster, err := question.cluster()
	if err != nil {
		return state, err
	}
	scripts, err := healthScripts(question.Settings)
	if err != nil {
		return state, err
	}
	seen := sync.ReconciliationResult{Target: question.Manifests, Live: cluster.live}
	step, cleanup, err := sync.NewSyncContext(
		"main", seen, cluster.config, cluster.config, cluster.kubectl, "",
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(scripts),
		sync.WithInitialState(state.Phase, state.Message, state.Results, state.Started),
		sync.WithPruneLast(question.has(common.SyncOptionPruneLast)),
		sync.WithServerSideApply(question.has(common.SyncOptionServerSideApply)),
		sync.WithServerSideApplyManager(argoManager),
	)
	if err != nil {
		return state, err
	}
	defer cleanup()
	step.Sync()
	state.Phase, state.Message, state.Results = step.GetState()
	return state, nil
}

type argoCluster struct {
	config  *rest.Config
	kubectl *kube.KubectlCmd
	// live holds what is there for each manifest, or nil.
	live []*Object
}

func (question argoQuestion) cluster() (*argoCluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", question.Kubeconfig)
	if err != nil {
		return nil, err
	}
	found := &argoCluster{config: config, kubectl: &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}}
	for _, it := range question.Manifests {
		question.track(it)
		live, err := found.kubectl.GetResource(
			context.Background(), config, it.GroupVersionKind(), it.GetName(), it.GetNamespace())
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if err != nil {
			live = nil
		}
		found.live = append(found.live, live)
	}
	return found, nil
}

func (question argoQuestion) has(option string) bool {
	options, _, _ := unstructured.NestedStringSlice(question.Application.Object, "spec", "syncPolicy", "syncOptions")
	return slices.Contains(options, option)
}

// track marks an object as one of the Application's, as Argo CD does by default.
func (question argoQuestion) track(it *Object) {
	annotations := it.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["argocd.argoproj.io/tracking-id"] = fmt.Sprintf("%s:%s/%s:%s/%s", question.Application.GetName(),
		it.GroupVersionKind().Group, it.GetKind(), it.GetNamespace(), it.GetName())
	it.SetAnnotations(annotations)
}
