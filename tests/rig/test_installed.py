"""The project as somebody has it who clones it: an empty environment, the lock, `pip install .`, and all of it works.

What the image adds to that, another user and a root that cannot be written, is proved in tests/chart/test_image.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gpuinstance import __version__
from tests.controlplane.cluster import Cluster
from tests.rig.stack import ROOT, Options, Stack

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

_EVERY_MODULE = """
import gpuinstance, gpuinstance_simulator, importlib, pkgutil
for package in (gpuinstance, gpuinstance_simulator):
    print(package.__file__)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of an environment into which a clone was installed."""
    folder = tmp_path_factory.mktemp("installed")
    clone(folder / "clone")
    run([sys.executable, "-m", "venv", folder / "environment"], folder)
    python = folder / "environment" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--no-deps"]
    run([*install, "--require-hashes", "--requirement", "requirements.txt"], folder / "clone")
    run([*install, "."], folder / "clone")
    run([python, "-m", "pip", "check"], folder)
    return python.parent


@pytest.fixture(scope="module")
def stack_options(programs: Path) -> Options:
    """The operator is the one that is installed."""
    return Options(operator_python=str(programs / "python"), operator={"PYTHONPATH": ""})


def clone(target: Path) -> None:
    """Copy what git knows of the tree, or would take: what a clone holds once this is committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no checkout, so nobody can clone it")
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # else it is about to be removed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def run(command: Sequence[str | Path], where: Path) -> str:
    """Return what a command writes, run without the sources of the tree on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_no_module_needs_more_than_is_locked(programs: Path, tmp_path: Path) -> None:
    """Each module of both packages can be imported where nothing is installed but what requirements.txt names."""
    found = run([programs / "python", "-c", _EVERY_MODULE], tmp_path).splitlines()
    assert len(found) == 2
    assert all(Path(file).is_relative_to(programs.parent) for file in found)


def test_the_operator_says_what_it_is(programs: Path, tmp_path: Path) -> None:
    """Its command is there, and answers without a cluster."""
    title = f"gpu-instance-operator {__version__}"
    assert run([programs / "gpu-instance-operator", "--version"], tmp_path).startswith(title)
    assert "GPUINSTANCE_" in run([programs / "gpu-instance-operator", "--help"], tmp_path)


def test_kubectl_finds_its_plugin(programs: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the environment on the path kubectl knows `gpu`, and asks its completion for words."""
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    kubectl = cluster.kubectl()
    assert str(programs / "kubectl-gpu") in kubectl("plugin", "list")
    assert "kubectl gpu" in kubectl("gpu", "--help")
    assert "upgrade" in kubectl("__complete", "gpu", "upg")


def test_a_life_passes_under_the_installed_operator(
    programs: Path, stack: Stack, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets ready on a real API server, serves its metrics, and what the plugin waits for comes true."""
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    kubectl = stack.cluster.kubectl()
    kubectl("apply", f"--namespace={namespace}", "-f", str(ROOT / "deploy/examples/novita/gpuinstance.yaml"))
    kubectl("gpu", f"--namespace={namespace}", "wait", "trainer", "--for", "Ready", "--timeout", "60s")
    assert 'gpuinstance_passes_total{result="done"}' in stack.operator.metrics()
    kubectl("delete", f"--namespace={namespace}", "gpui/trainer", "--timeout=60s")
    assert [it for it in stack.simulator.ask("machines") if namespace in it["name"]] == []
