"""The command itself: what it prints, and how it ends when it cannot begin."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from gpuinstance import __main__ as command
from gpuinstance import __version__, logs
from gpuinstance.guard import Guard

ROOT = Path(__file__).parents[2]
KUBECONFIG = """
{apiVersion: v1, kind: Config, current-context: it,
 clusters: [{name: it, cluster: {server: "http://127.0.0.1:9"}}], users: [{name: it, user: {}}],
 contexts: [{name: it, context: {cluster: it, user: it}}]}
"""

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command in this process with these arguments and settings, and return the line that it ends with."""
    for name in [name for name in os.environ if name.startswith(("GPUINSTANCE_", "KUBERNETES_SERVICE_"))]:
        monkeypatch.delenv(name)
    kubeconfig = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    # What the process does to itself before it begins must not be done to the process of the tests.
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)

    def started(*arguments: str, with_kubeconfig: bool = False, **settings: str) -> str:
        if with_kubeconfig:
            kubeconfig.write_text(KUBECONFIG)
        monkeypatch.setattr(sys, "argv", ["gpu-instance-operator", *arguments])
        for name, value in settings.items():
            monkeypatch.setenv(f"GPUINSTANCE_{name}", value)
        with pytest.raises(SystemExit) as ended:
            command.main()
        return str(ended.value.code)

    return started


@pytest.mark.parametrize("argument", ["--version", "--help", "-h"])
def test_it_says_what_it_is(argument: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its version and where its settings are, without reading any of them."""
    monkeypatch.setenv("GPUINSTANCE_POLL_SECONDS", "nonsense")
    monkeypatch.setattr(sys, "argv", ["gpu-instance-operator", argument])
    command.main()
    printed = capsys.readouterr().out
    assert f"gpu-instance-operator {__version__}" in printed
    assert "GPUINSTANCE_" in printed


BAD_SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "a number that is none": ({"POLL_SECONDS": "often"}, "GPUINSTANCE_POLL_SECONDS: Input should be a valid number"),
    "a list that is not JSON": ({"NAMESPACES": "team-a"}, "GPUINSTANCE_NAMESPACES: must be a JSON list"),
    "an address without a port": ({"HTTP_LISTEN": "localhost"}, "GPUINSTANCE_HTTP_LISTEN: not an address such as"),
    "a port that does not exist": ({"HTTP_LISTEN": ":65536"}, "GPUINSTANCE_HTTP_LISTEN: not an address such as"),
}


@pytest.mark.parametrize(("settings", "words"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_bad_settings_end_it_with_one_line(run: Run, settings: dict[str, str], words: str) -> None:
    """It names the variable; nothing has been started."""
    told = run(**settings)
    assert told.startswith("gpu-instance-operator: the settings are not valid: ")
    assert words in told
    assert "\n" not in told


def test_without_a_cluster_it_ends_with_one_line(run: Run) -> None:
    """It says where it has looked for one."""
    told = run()
    assert told.startswith(
        "gpu-instance-operator: this is no pod with a service account, and KUBECONFIG cannot be used"
    )
    assert "\n" not in told


def test_it_does_not_run_without_its_liveness(run: Run) -> None:
    """A port that is taken is told with the variable that chose it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = run(with_kubeconfig=True, HTTP_LISTEN=address)
    assert told.startswith("gpu-instance-operator: GPUINSTANCE_HTTP_LISTEN: ")
    assert "address already in use" in told


def test_every_way_out_obeys_the_denied_networks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health checks, notifications and published Services have guards of their own; each refuses what is denied, also
    where the exceptions that are made for it hold the same network.
    """
    made: list[Guard] = []

    def note(**how: Any) -> Guard:
        made.append(Guard(**how))
        return made[-1]

    monkeypatch.setattr(command, "Guard", note)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run(
            with_kubeconfig=True,
            HTTP_LISTEN=f"127.0.0.1:{taken.getsockname()[1]}",
            DENIED_NETWORKS='["8.8.8.0/24"]',
            PROBE_ALLOWED_NETWORKS='["8.8.0.0/16", "10.1.0.0/16"]',
            NOTIFICATION_ALLOWED_NETWORKS='["8.8.0.0/16", "10.2.0.0/16"]',
            CONNECTION_ALLOWED_NETWORKS='["8.8.0.0/16", "10.3.0.0/16"]',
        )
    assert len(made) == 3
    for guard in made:
        assert guard.refusal(ip_address("8.8.8.8")) == "address in a denied range"
        assert guard.refusal(ip_address("8.8.4.4")) is None
    open_to = [[guard.refusal(ip_address(f"10.{n}.0.1")) is None for guard in made] for n in (1, 2, 3)]
    assert all(sum(row) == 1 for row in open_to), "an exception is one for its own way out"


def test_the_module_is_the_command() -> None:
    """`python -m gpuinstance`, a process of its own: exit code 1, one line on standard error, no traceback."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GPUINSTANCE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "gpuinstance"],
        env=environment | {"PYTHONPATH": str(ROOT / "operator"), "GPUINSTANCE_WORKERS": "none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("gpu-instance-operator: the settings are not valid: GPUINSTANCE_WORKERS: ")


def test_the_installed_commands_exist() -> None:
    """What the package promises to install can be called."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts["gpu-instance-operator"] == "gpuinstance.__main__:main"
    for target in scripts.values():
        module, function = target.split(":")
        assert callable(getattr(import_module(module), function))
