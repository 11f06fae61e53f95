"""helm as a program, for the generator and the tests: its arguments in, its answer or its refusal out.

Each object has a home of its own, so that no configuration, plugin or cache of the user's is read or written. It
knows where the chart is, and nothing of what is in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.controlplane.processes import tether

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "gpu-instance-operator"
NAME = "gpu-instance-operator"
"""The chart, the usual release of it, its namespace, and so every object in it."""

_SECONDS = 180.0

Values = Mapping[str, Any]
Manifest = dict[str, Any]


class HelmError(RuntimeError):
    """helm refused; the message is what it wrote to standard error."""


class Helm:
    """The program, with one kubeconfig where it speaks to a cluster; `home` is a folder that it may fill."""

    def __init__(self, program: Path, home: Path, kubeconfig: Path | None = None) -> None:
        self._program = program
        folders = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        # Rendering must not depend on a cluster that happens to be configured.
        self._env = {**os.environ, **folders, "KUBECONFIG": str(kubeconfig or home / "no-kubeconfig")}

    def __call__(self, *arguments: str, values: Values | None = None) -> str:
        """Run it and return its standard output; `values` are passed as a file. Raises HelmError."""
        done = self.attempt(*arguments, values=values)
        if done.returncode != 0:
            raise HelmError(done.stderr.strip())
        return done.stdout

    def attempt(self, *arguments: str, values: Values | None = None) -> subprocess.CompletedProcess[str]:
        """Run it and return what came of it, failure included."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values or {}, file)
            file.flush()
            return subprocess.run(
                [self._program, *arguments, *([] if values is None else ["--values", file.name])],
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                preexec_fn=tether(),
            )

    def render(self, *options: str, values: Values | None = None, release: str = NAME) -> str:
        """Return the manifests of a release as text; its namespace is called after it. Raises HelmError."""
        return self("template", release, str(CHART), "--namespace", release, *options, values=values or {})

    def manifests(self, *options: str, values: Values | None = None, release: str = NAME) -> list[Manifest]:
        """Return the same as objects."""
        return [it for it in yaml.safe_load_all(self.render(*options, values=values, release=release)) if it]


def one(manifests: list[Manifest], kind: str, name: str = NAME) -> Manifest:
    """Return the only object of this kind and name. Raises ValueError where there is another number."""
    found = [it for it in manifests if it["kind"] == kind and it["metadata"]["name"] == name]
    if len(found) != 1:
        raise ValueError(f"{len(found)} objects {kind}/{name}")
    return found[0]


def pod_of(manifest: Manifest) -> dict[str, Any]:
    """Return the spec of a pod, or of the pods that an object makes."""
    spec: dict[str, Any] = manifest["spec"]
    pod: dict[str, Any] = spec.get("template", {}).get("spec", spec)
    return pod


def containers(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the containers of that pod."""
    found: list[dict[str, Any]] = pod_of(manifest)["containers"]
    return found
