"""Flux and Argo CD, asked by the tests: the program of the folder `engines`, a question in, an answer out.

`Engines` judges objects that need not exist. `Flux` and `ArgoCD` work on an API server, each call one turn of the
engine's controller. What they answer is the engines' own; nothing here adds to it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.controlplane.processes import tether
from tests.judges.files import APPLICATION, MACHINES, SETTINGS, UPGRADES, document
from tests.judges.stories import Body

_SECONDS = 60.0


@dataclass(frozen=True)
class Shown:
    """What each engine shows for one object."""

    kstatus: str
    """By the rules for every kind, as `kstatus` of cli-utils has them."""
    flux: str
    """By the expressions in deploy/flux."""
    argocd: str
    """By the script in deploy/argocd; empty where Argo CD shows no health."""
    message: str
    """What Argo CD shows beside its word."""

    @property
    def words(self) -> tuple[str, str, str]:
        """What kstatus, Flux and Argo CD say."""
        return self.kstatus, self.flux, self.argocd


class Engines:
    """The program, as `tests.judges.build` returns it."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def ask(self, command: str, **question: Any) -> Any:
        """Return the answer of one command. Raises AssertionError with the engine's words where it has none."""
        done = subprocess.run(
            [self._program, command],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            preexec_fn=tether(),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def judge(self, *bodies: Body, settings: Body | None = None) -> list[Shown]:
        """Return what is shown for each object; `settings` are those of Argo CD, unless they are the documented."""
        kustomizations = [document(MACHINES), document(UPGRADES)]
        settings = settings or document(SETTINGS)
        answer = self.ask("judge", settings=settings, kustomizations=kustomizations, objects=bodies)
        return [Shown(**it) for it in answer]


@dataclass(frozen=True)
class Flux:
    """The kustomize-controller of Flux on one API server, with one Kustomization."""

    engines: Engines
    kubeconfig: Path
    kustomization: Path = MACHINES

    def apply(self, manifests: Iterable[Body]) -> dict[str, str]:
        """Apply; return what became of each object: created, configured or unchanged."""
        return self._changes("flux-apply", manifests)

    def diff(self, manifests: Iterable[Body]) -> dict[str, str]:
        """Return what applying would do to each object."""
        return self._changes("flux-diff", manifests)

    def wait(self, manifests: Iterable[Body], seconds: float) -> str:
        """Wait for the health of all; return what Flux says where it does not come, or nothing."""
        return str(self._ask("flux-wait", manifests, seconds=seconds)["error"])

    def _changes(self, command: str, manifests: Iterable[Body]) -> dict[str, str]:
        return {it["object"]: it["action"] for it in self._ask(command, manifests)}

    def _ask(self, command: str, manifests: Iterable[Body], **more: Any) -> Any:
        return self.engines.ask(
            command,
            kubeconfig=str(self.kubeconfig),
            kustomization=document(self.kustomization),
            manifests=list(manifests),
            **more,
        )


@dataclass
class ArgoCD:
    """The application controller of Argo CD on one API server, with the Application of deploy/argocd."""

    engines: Engines
    kubeconfig: Path
    manifests: list[Body]
    """What the Application holds; each names its namespace."""
    state: Body | None = None
    """How far the sync is; None: there is none."""

    def sync(self) -> str:
        """Take the next step of the sync, or begin one; return its phase: Running, Succeeded, Failed, or Error."""
        self.state = self._ask("argocd-sync", settings=document(SETTINGS), state=self.state)
        return str(self.state["phase"])

    @property
    def message(self) -> str:
        """What Argo CD says about the sync."""
        return str((self.state or {}).get("message", ""))

    def out_of_sync(self) -> list[Body]:
        """Return the objects that Argo CD finds different from the manifests, in either way of comparing."""
        return [it for it in self._ask("argocd-diff") if it["byOptions"] or it["serverSide"]]

    def _ask(self, command: str, **more: Any) -> Any:
        application = document(APPLICATION)
        return self.engines.ask(
            command, kubeconfig=str(self.kubeconfig), application=application, manifests=self.manifests, **more
        )
