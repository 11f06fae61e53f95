"""Where promtool comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controlplane.gobuild import BuildError
from tests.prometheus.build import ensure


def test_a_promtool_of_ones_own_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PROMTOOL names a program it is used as it is; where it names none, that is said instead of building."""
    program = tmp_path / "promtool"
    monkeypatch.setenv("PROMTOOL", str(program))
    with pytest.raises(BuildError, match="which is no program"):
        ensure(print)
    program.touch(mode=0o755)
    assert ensure(print) == program
