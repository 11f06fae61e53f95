"""What fits at the cursor: the line up to it in, words out; and the scripts that ask."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gpuinstance.cli import command
from gpuinstance.cli.cluster import NAMESPACES
from gpuinstance.cli.commands.completion import SCRIPTS
from tests.unit.cli import objects
from tests.unit.cli.fake_cluster import Console, FakeCluster, cluster, gpu, put
from tests.unit.cli.objects import Object

__all__ = ["cluster", "gpu"]


def fits(gpu: Console, *words: str) -> list[str]:
    """Return what is offered, without what it is; `files` for names of files."""
    gpu.cluster.asked.clear()
    lines = gpu.type([command.COMPLETE, *words]).out.splitlines()
    assert lines[-1] in {":4", ":0"}
    return [line.partition("\t")[0] for line in lines[:-1]] + (["files"] if lines[-1] == ":0" else [])


def namespace(name: str) -> Object:
    return {"kind": "Namespace", "metadata": {"name": name, "namespace": None}}


@pytest.fixture(autouse=True)
def filled(cluster: FakeCluster) -> None:
    put(cluster, objects.ready(), objects.instance("second"), objects.instance("other", "team-b"))
    put(cluster, objects.awaiting_payment(), namespace("team-a"), namespace("team-b"))


ROWS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "a command": (("wa",), ["wait"]),
    "several commands": (("re",), ["restart", "recreate", "reinstall", "regenerate-networking"]),
    "behind an option": (("-n", "team-b", "sto"), ["stop"]),
    "no command": (("dance", ""), []),
    "an option": (("wait", "--past"), ["--past-actions"]),
    "an option of all commands": (("stop", "trainer", "--kubec"), ["--kubeconfig"]),
    "an option before the command": (("--cont",), ["--context"]),
    "choices": (("list", "-o", ""), ["json", "yaml", "name", "wide"]),
    "choices of an argument": (("completion", "z"), ["zsh"]),
    "a choice behind =": (("stop", "--dry-run=s"), ["--dry-run=server"]),
    "files": (("list", "--kubeconfig", ""), ["files"]),
    "contexts": (("list", "--context", ""), ["here", "there"]),
    "namespaces": (("list", "-n", "team-"), ["team-a", "team-b"]),
    "namespaces behind =": (("list", "--namespace=team-b"), ["--namespace=team-b"]),
    "an instance": (("stop", "tr"), ["trainer"]),
    "all instances": (("why", ""), ["trainer", "second"]),
    "an instance elsewhere": (("why", "-n", "team-b", ""), ["other"]),
    "an instance by its kind": (("stop", "gpui/"), ["gpui/trainer", "gpui/second"]),
    "not what was typed before": (("stop", "trainer", ""), ["second"]),
    "only one is taken": (("why", "trainer", ""), []),
    "an upgrade": (("cancel", "b"), ["bigger"]),
    "an upgrade where both are taken": (("wait", "iup/"), ["iup/bigger"]),
    "an upgrade where none is taken": (("stop", "iup/"), []),
    "a goal": (("wait", "trainer", "--for", "Sto"), ["Stopping", "Stopped"]),
    "a goal behind =, as bash takes it apart": (("wait", "trainer", "--for", "=", "Sto"), ["Stopping", "Stopped"]),
    "right behind =": (("stop", "--dry-run", "="), ["none", "server"]),
    "a goal of upgrades": (("wait", "iup/bigger", "--for", "Compl"), ["Completed"]),
    "another goal": (("wait", "trainer", "--for", "Ready,Ex"), ["Ready,Exists", "Ready,Exited"]),
    "a value that nobody knows": (("upgrade", "web", "--plan", ""), []),
    "a name that is new": (("upgrade", "web", "--name", ""), []),
}


@pytest.mark.parametrize(("words", "expected"), ROWS.values(), ids=ROWS)
def test_what_fits(gpu: Console, words: tuple[str, ...], expected: list[str]) -> None:
    """A line up to the cursor, and what is offered."""
    assert fits(gpu, *words) == expected


def test_nothing_at_all_is_typed(gpu: Console) -> None:
    """All commands are offered, each with what it is for."""
    assert fits(gpu) == fits(gpu, "") == list(command.COMMANDS)
    assert "wait\tuntil Ready" in gpu.type([command.COMPLETE, ""]).out


def test_names_say_how_they_are(gpu: Console) -> None:
    """The phase stands behind them."""
    assert "trainer\tReady\n" in gpu.type([command.COMPLETE, "stop", ""]).out


def test_the_cluster_is_asked_for_names_only(cluster: FakeCluster, gpu: Console) -> None:
    """Once, and for nothing else: somebody waits."""
    fits(gpu, "stop", "--wa")
    assert cluster.asked == []
    fits(gpu, "stop", "")
    assert cluster.asked == ["gpuinstances"]


def test_without_a_cluster_nothing_is_offered(cluster: FakeCluster, gpu: Console) -> None:
    """And nothing is said: a message would stand in the middle of the line."""
    cluster.forbidden = {("list", "gpuinstances"), ("list", NAMESPACES.plural)}
    result = gpu.type([command.COMPLETE, "stop", ""])
    assert (result.code, result.out, result.err) == (0, ":4\n", "")
    assert fits(gpu, "stop", "-n", "") == []


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_scripts_are_printed(gpu: Console, shell: str) -> None:
    """No cluster is needed for that."""
    result = gpu(f"completion {shell}")
    assert (result.code, result.out) == (0, SCRIPTS[shell])


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(tmp_path: Path) -> None:
    """The script asks with the words up to the cursor, and takes each word of the answer without its remark."""
    asked = tmp_path / "kubectl-gpu"
    asked.write_text('#!/bin/sh\nprintf "%s\\n" "$*" > "$0.asked"\nprintf "trainer\\tReady\\ntr-2\\n:4\\n"\n')
    asked.chmod(0o755)
    script = tmp_path / "completion.bash"
    script.write_text(SCRIPTS["bash"])
    typed = f'. {script}; COMP_WORDS=({asked} stop tr); COMP_CWORD=2; _kubectl_gpu; printf "%s " "${{COMPREPLY[@]}}"'
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-c", typed], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("trainer tr-2 ", "")
    assert (tmp_path / "kubectl-gpu.asked").read_text() == "__complete stop tr\n"


def test_kubectl_finds_what_completes_its_plugin(
    cluster: FakeCluster, gpu: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command of the name that kubectl looks for is installed, and takes the words as kubectl passes them."""
    scripts = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["kubectl_complete-gpu"].partition(":")
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-gpu", "stop", "tr"])
    assert getattr(importlib.import_module(module), function)() == 0
    assert capsys.readouterr().out == "trainer\tReady\n:4\n"
