"""Which Pythons `make matrix` finds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.matrix import VERSIONS, Result, found, with_all_of_pyenv
from tests.rig.stack import ROOT


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_what_does_not_start_is_passed_over(tmp_path: Path) -> None:
    """A shim for a Python that is not installed hides none that comes later on the path; absent is None."""
    program(tmp_path / "shims", "python3.12", "exit 127")
    program(tmp_path / "real", "python3.12", f'exec "{sys.executable}" "$@"')
    path = os.pathsep.join([str(tmp_path / "shims"), str(tmp_path / "none"), str(tmp_path / "real")])
    assert found("3.12", {**os.environ, "PATH": path}) == sys.executable
    assert found("3.13", {**os.environ, "PATH": path}) is None
    assert found("3.12", {**os.environ, "PATH": str(tmp_path / "shims")}) is None


def test_shims_start_all_that_pyenv_has(tmp_path: Path) -> None:
    """Not only the version that is chosen in this folder; where there is no pyenv, nothing is changed."""
    program(tmp_path, "pyenv", "echo 3.11.7; echo 3.13.0")
    assert with_all_of_pyenv({"PATH": str(tmp_path)})["PYENV_VERSION"] == "3.11.7:3.13.0"
    assert with_all_of_pyenv({"PATH": str(tmp_path / "none")}) == {"PATH": str(tmp_path / "none")}


def test_the_versions_are_those_of_the_metadata() -> None:
    """pyproject.toml promises to whom it installs what the matrix tries, and the lock begins with the oldest."""
    metadata = (ROOT / "pyproject.toml").read_text()
    promised = [line.split(" :: ")[-1].rstrip('",') for line in metadata.splitlines() if "Python :: 3." in line]
    assert tuple(promised) == VERSIONS
    assert f'requires-python = ">={VERSIONS[0]}"' in metadata


def test_a_row_says_how_it_ended() -> None:
    """Version, verdict, time, and pytest's own words."""
    assert Result("3.12", "passed", "7 passed", 222.9).row() == "3.12     passed     3m42s  7 passed"
    assert Result("3.13", "skipped", "not here").row() == "3.13     skipped           not here"
