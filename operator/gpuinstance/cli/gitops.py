"""Who else writes an object: Argo CD or Flux, whose next sync takes back what is set by hand. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gpuinstance.cli.connection import Object

_ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
_INSTANCE_LABELS = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")
_FLUX = (
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"),
)
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}


def owner_of(it: Object) -> str | None:
    """Return who keeps the spec as it is in Git, in words; None if nothing tells of anybody.

    A label that Helm writes as well counts for Argo CD only if Argo CD has also written the object.
    """
    metadata = it.get("metadata") or {}
    labels, annotations = _texts(metadata, "labels"), _texts(metadata, "annotations")
    if _ARGO_TRACKING in annotations:
        return f"Argo CD (application {annotations[_ARGO_TRACKING].partition(':')[0]})"
    for prefix, kind in _FLUX:
        if name := labels.get(f"{prefix}/name"):
            namespace = labels.get(f"{prefix}/namespace")
            return f"Flux ({kind} {namespace + '/' if namespace else ''}{name})"
    manager = _manager(metadata)
    if manager == "Argo CD" or _INSTANCE_LABELS[0] in labels:
        name = next((labels[label] for label in _INSTANCE_LABELS if label in labels), None)
        return f"Argo CD (application {name})" if name else "Argo CD"
    return manager


def _manager(metadata: Mapping[str, object]) -> str | None:
    fields = metadata.get("managedFields")
    names = [str(it.get("manager")) for it in fields if isinstance(it, Mapping)] if isinstance(fields, list) else []
    return next((_MANAGERS[name] for name in names if name in _MANAGERS), None)


def _texts(metadata: Mapping[str, object], field: str) -> Mapping[str, str]:
    found = metadata.get(field)
    return found if isinstance(found, Mapping) else {}
