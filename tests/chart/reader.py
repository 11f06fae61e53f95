"""Somebody who reads docs/install.md and types what it says, into a shell with helm and kubectl.

Only what cannot be here is replaced: the name of a registry. `Terminal.follow` raises where a command fails.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.chart.helm import ROOT
from tests.controlplane.kubectl import kubectl_path
from tests.controlplane.processes import tether

DOCUMENT = ROOT / "docs" / "install.md"
_SECONDS = 240.0


def block(heading: str, language: str = "sh") -> str:
    """Return the first block of code below a heading. Raises LookupError where there is none."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    found = re.search(rf"^```{language}\n(.*?)^```$", section[1] if section else "", re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"{DOCUMENT.name} has no {language} under {heading!r}")
    return found[1].replace("REGISTRY/", "registry.example.com/")


class Terminal:
    """A shell in the project's folder, whose kubeconfig is `kubeconfig`; `home` is a folder for helm's own files."""

    def __init__(self, kubeconfig: Path, helm: Path, home: Path) -> None:
        folders = (Path(kubectl_path()).parent, helm.parent, os.environ["PATH"])
        self._environment = {
            **os.environ,
            **{f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")},
            "KUBECONFIG": str(kubeconfig),
            "PATH": os.pathsep.join(map(str, folders)),
        }

    def attempt(self, script: str) -> subprocess.CompletedProcess[str]:
        """Type the lines, until one fails; return what came of it."""
        return subprocess.run(
            ["/bin/bash", "-euc", script],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            preexec_fn=tether(),
        )

    def follow(self, script: str) -> str:
        """Type the lines, which have to succeed; return what was said. Raises AssertionError."""
        done = self.attempt(script)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout
