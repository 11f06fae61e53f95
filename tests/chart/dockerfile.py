"""deploy/Dockerfile, read and carried out without a container engine.

`stages` reads the instructions; `Workshop` does in a folder what an engine does in layers: the folder's `src` stands
for the working directory of the build, its `opt` for /opt, and an environment of its own for the Python of the base
image. What the image would hold is then in `opt/operator`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chart.helm import ROOT

PATH = ROOT / "deploy" / "Dockerfile"
_PAIR = re.compile(r'([\w.]+)=(?:"([^"]*)"|(\S+))')
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")


@dataclass(slots=True)
class Stage:
    """One FROM and what follows it: keyword and argument, on one line each."""

    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, keyword: str) -> list[str]:
        """Return the arguments of all instructions with this keyword."""
        return [argument for it, argument in self.instructions if it == keyword]

    def pairs(self, keyword: str) -> dict[str, str]:
        """Return what ENV or LABEL sets."""
        found = (match for argument in self.of(keyword) for match in _PAIR.findall(argument))
        return {name: quoted or plain for name, quoted, plain in found}


def stages() -> list[Stage]:
    """Return the stages in their order."""
    text = re.sub(r"^#.*\n", "", PATH.read_text(), flags=re.MULTILINE)
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        keyword, _, argument = line.partition(" ")
        if keyword == "FROM":
            found.append(Stage(argument.partition(" AS ")[2] or None))
        elif keyword and found:
            found[-1].instructions.append((keyword, argument.strip()))
    return found


class Workshop:
    """A folder in which the image is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._source = folder / "src"
        self._base = folder / "base"
        self.root = folder / "opt" / "operator"
        """What the image would hold."""
        for it in (self._source, self.root.parent):
            it.mkdir()

    def build(self, stage: Stage) -> None:
        """Carry out the instructions of the stage that installs. Raises AssertionError where one fails."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._run([sys.executable, "-m", "venv", str(self._base)], environment)
        environment |= stage.pairs("ENV")
        environment["PATH"] = f"{self._base / 'bin'}{os.pathsep}{os.environ['PATH']}"
        del environment["PIP_NO_CACHE_DIR"]  # what was downloaded once need not be again
        for keyword, argument in stage.instructions:
            if keyword == "COPY":
                *sources, target = argument.split()
                self._copy(sources, target)
            if keyword == "RUN":
                self._run(["/bin/sh", "-ec", argument.replace("/opt/", f"{self._folder}/opt/")], environment)

    def _copy(self, sources: Sequence[str], target: str) -> None:
        for name in sources:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self._source / target, ignore=_LEFT_OUT)
            else:
                shutil.copy(source, self._source / target)

    def _run(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        done = subprocess.run(
            command,
            cwd=self._source,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
