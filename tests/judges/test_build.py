"""Where the engines come from, and that their source is in order."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.controlplane.gobuild import BuildError
from tests.judges.build import ensure


def test_a_program_of_ones_own_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ENGINES names a program it is used as it is; where it names none, that is said instead of building."""
    program = tmp_path / "engines"
    monkeypatch.setenv("ENGINES", str(program))
    with pytest.raises(BuildError, match="which is no program"):
        ensure(print)
    program.touch(mode=0o755)
    assert ensure(print) == program


def test_the_source_is_formatted_as_go_formats_it() -> None:
    """`gofmt` finds nothing to change."""
    gofmt = shutil.which("gofmt")
    if gofmt is None:
        pytest.skip("there is no Go here")
    folder = Path(__file__).parent / "engines"
    assert subprocess.run([gofmt, "-l", "."], cwd=folder, capture_output=True, text=True, check=True).stdout == ""
