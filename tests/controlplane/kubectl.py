"""kubectl as a program, of the version that is locked beside the project.

The cluster, the rig, the demo and the tests run it; whoever wants to show its output to a person gets the
command line from `spell`. It knows nothing about the resources.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.controlplane.processes import tether

_SECONDS = 120.0


class KubectlError(RuntimeError):
    """kubectl refused; the message holds the command and what it wrote to standard error."""

    def __init__(self, command: str, code: int, stderr: str) -> None:
        super().__init__(f"`{command}` failed with exit code {code}: {stderr.strip()}")
        self.code = code
        self.stderr = stderr.strip()


def kubectl_path() -> str:
    """Return the path of kubectl: the one installed beside this Python, else the first on PATH."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise FileNotFoundError("kubectl is neither beside this Python nor on PATH: run `make setup`")
    return found


class Kubectl:
    """kubectl with one kubeconfig, and so as one user; in one namespace, where one is given."""

    def __init__(self, kubeconfig: Path | None, namespace: str | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._options = [] if namespace is None else [f"--namespace={namespace}"]
        self.env = dict(os.environ)
        if kubeconfig is not None:
            self.env["KUBECONFIG"] = str(kubeconfig)
            # What another session discovered must not be believed: servers come and go on the same ports.
            self.env["KUBECACHEDIR"] = str(kubeconfig.parent / "kubectl-cache")

    def __call__(self, *arguments: str, stdin: str | None = None, seconds: float = _SECONDS) -> str:
        """Run it and return its standard output.

        Raises KubectlError where it fails, subprocess.TimeoutExpired where it takes longer than `seconds`.
        """
        done = self.attempt(*arguments, stdin=stdin, seconds=seconds)
        if done.returncode != 0:
            raise KubectlError(spell(arguments), done.returncode, done.stderr)
        return done.stdout

    def attempt(
        self, *arguments: str, stdin: str | None = None, seconds: float = _SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run it and return what came of it, failure included."""
        return subprocess.run(
            [kubectl_path(), *self._options, *arguments],
            env=self.env,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            preexec_fn=tether(),  # a `kubectl wait` must not go on after its caller's death
        )

    def within(self, namespace: str) -> Kubectl:
        """Return kubectl as the same user, in another namespace."""
        return Kubectl(self._kubeconfig, namespace)

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        """Run it with `-o json` and return the parsed answer."""
        return json.loads(self(*arguments, "-o", "json", stdin=stdin))


def spell(arguments: tuple[str, ...]) -> str:
    """Return the command line as a person would type it."""
    return shlex.join(["kubectl", *arguments])
