package main

// What each engine shows for an object: kstatus by its rules for all kinds, Flux by its expressions, Argo CD by its
// script. Each verdict is computed by the package that the engine's controller uses.

import (
	"context"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
)

type judgeQuestion struct {
	// Settings is the ConfigMap argocd-cm of Argo CD.
	Settings *Object `json:"settings"`
	// Kustomizations are those of Flux, with the expressions in spec.healthCheckExprs.
	Kustomizations []*Object `json:"kustomizations"`
	Objects        []*Object `json:"objects"`
}

type verdict struct {
	// Kstatus is what an engine says that knows nothing about the kind.
	Kstatus string `json:"kstatus"`
	Flux    string `json:"flux"`
	// ArgoCD is empty where Argo CD shows no health, and waits for nothing.
	ArgoCD  string `json:"argocd"`
	Message string `json:"message"`
}

func judge(question judgeQuestion) ([]verdict, error) {
	expressions, err := healthExpressions(question.Kustomizations)
	if err != nil {
		return nil, err
	}
	byFlux := expressions(nil)
	scripts, err := healthScripts(question.Settings)
	if err != nil {
		return nil, err
	}
	verdicts := make([]verdict, 0, len(question.Objects))
	for _, it := range question.Objects {
		generic, err := status.Compute(it)
		if err != nil {
			return nil, err
		}
		found := verdict{Kstatus: generic.Status.String(), Flux: generic.Status.String()}
		if byFlux.Supports(it.GroupVersionKind().GroupKind()) {
			read, err := byFlux.ReadStatusForObject(context.Background(), nil, it)
			if err != nil {
				return nil, err
			}
			found.Flux = read.Status.String()
		}
		// An error comes with the health Unknown, which is what Argo CD shows then.
		if shown, _ := health.GetResourceHealth(it, scripts); shown != nil {
			found.ArgoCD, found.Message = string(shown.Status), shown.Message
		}
		verdicts = append(verdicts, found)
	}
	return verdicts, nil
}
