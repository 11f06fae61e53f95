"""Builds with Go, with a stand-in for Go that writes down what it was asked: when, in which order, with what."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from tests.controlplane.gobuild import BuildError, GoModule, ensure_built

STAND_IN = """#!/bin/sh
echo "$1 GOGC=$GOGC CGO_ENABLED=$CGO_ENABLED" >> "{log}"
case "$1" in
  list) echo example.dev/tool ;;
  build)
    [ ! -e "{folder}/broken" ] || {{ echo "undefined: everything" >&2; exit 1; }}
    while [ "$1" != -o ]; do shift; done
    echo program > "$2/tool" ;;
esac
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoModule:
    """A module whose Go is the stand-in, and a cache that is empty."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "go"
    program.write_text(STAND_IN.format(log=tmp_path / "asked", folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "go.mod").write_text("require example.dev/tool v1.2.3\n")
    (tmp_path / "go.sum").touch()
    return GoModule("tool", tmp_path, "example.dev/tool", {"tool": "example.dev/tool"}, "let TOOL point to it")


def asked(module: GoModule) -> list[str]:
    """Return the verbs that Go was called with."""
    log = module.folder / "asked"
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def test_a_program_is_built_once(module: GoModule) -> None:
    """The first call builds, without a C compiler; the second finds what the first has made."""
    lines: list[str] = []
    folder = ensure_built(module, "tools", lines.append)
    assert (folder / "tool").read_text() == "program\n"
    assert folder.name.startswith("tool-v1.2.3-")
    assert asked(module) == ["list", "build"]
    assert "build GOGC=400 CGO_ENABLED=0" in (module.folder / "asked").read_text()
    assert lines[-1] == "tool: built"
    assert ensure_built(module, "tools", lines.append) == folder
    assert asked(module) == ["list", "build"]


def test_a_build_fetches_while_another_compiles(module: GoModule) -> None:
    """Whoever finds the compiler busy looks through the sources, which fetches them, and compiles when it is free."""
    lines: list[str] = []
    said = threading.Event()

    def report(line: str) -> None:
        lines.append(line)
        if "waiting for the compiler" in line:
            said.set()

    lock = module.folder / "cache" / "gpu-instance-operator" / "compiler.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        second = threading.Thread(target=ensure_built, args=(module, "tools", report))
        second.start()
        assert said.wait(30)
        assert asked(module) == ["list"]
    second.join(30)
    assert asked(module) == ["list", "list", "build"]
    assert lines[-1] == "tool: built"


def test_a_failed_build_leaves_nothing_and_says_why(module: GoModule) -> None:
    """What the compiler said is in the message, and the next call builds again."""
    (module.folder / "broken").touch()
    with pytest.raises(BuildError, match="undefined: everything"):
        ensure_built(module, "tools", print)
    (module.folder / "broken").unlink()
    assert (ensure_built(module, "tools", print) / "tool").exists()


def test_sources_beside_the_pins_are_part_of_the_name(module: GoModule) -> None:
    """Where a program of our own is built, a change of it is built anew."""
    before = module.key()
    (module.folder / "main.go").write_text("package main\n")
    assert module.key() != before


def test_without_go_it_is_said_what_helps(module: GoModule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to know that something is built here, and with what."""
    monkeypatch.setenv("PATH", str(module.folder / "nowhere"))
    with pytest.raises(BuildError, match="Go is needed to build the tool: install it, or let TOOL point to it"):
        ensure_built(module, "tools", print)
