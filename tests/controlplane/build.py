"""The control plane's programs: found where KUBEBUILDER_ASSETS points, or built once into the user's cache.

The cluster calls `ensure`, and `python -m tests.controlplane.build` does only this step. What is built is
pinned by go.mod and go.sum beside this file; how, is said in `gobuild`. It starts no server.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.controlplane.gobuild import BuildError, GoModule, ensure_built
from tests.controlplane.progress import Report, printer

_MODULE = GoModule(
    title="control plane",
    folder=Path(__file__).parent,
    pin="k8s.io/kubernetes",
    packages={
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    },
    else_=("let KUBEBUILDER_ASSETS point to a folder with etcd and kube-apiserver (and kube-controller-manager)"),
    renamed={"server": "etcd"},
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are. Without a controller manager nothing collects garbage or empties namespaces."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path | None


def ensure(report: Report) -> Binaries:
    """Return the programs, building them first where neither assets nor an earlier build provide them.

    Raises BuildError where KUBEBUILDER_ASSETS lacks a program, Go is missing, or the build fails.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _binaries_in(Path(assets), "KUBEBUILDER_ASSETS points to")
    return _binaries_in(ensure_built(_module(), "controlplane", report), "the cache is damaged: remove")


def kubernetes_version() -> str:
    """Return the pinned Kubernetes version, such as `v1.36.3`, as go.mod states it."""
    return _MODULE.version()


def _binaries_in(directory: Path, what: str) -> Binaries:
    for name in ("etcd", "kube-apiserver"):
        if not os.access(directory / name, os.X_OK):
            raise BuildError(f"{what} {directory}, which holds no program {name}")
    manager = directory / "kube-controller-manager"
    return Binaries(directory / "etcd", directory / "kube-apiserver", manager if manager.exists() else None)


def _module() -> GoModule:
    # kubectl refuses to reason about a server that does not know its own version.
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in facts.items()]
    return replace(_MODULE, link_flags=(*_MODULE.link_flags, *stamps))


def main() -> None:
    """Build what is missing, and say where the programs are."""
    say = printer()
    try:
        binaries = ensure(say)
    except BuildError as error:
        sys.exit(f"error: {error}")
    say(f"control plane: ready in {binaries.kube_apiserver.parent}")


if __name__ == "__main__":
    main()
