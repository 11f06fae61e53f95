"""The simulator as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gpuinstance_simulator import options
from gpuinstance_simulator.__main__ import main
from gpuinstance_simulator.hostwinds import PATH
from gpuinstance_simulator.novita import PREFIX
from gpuinstance_simulator.providers import PROVIDERS
from tests.unit.simulator.hostwinds_support import ADD
from tests.unit.simulator.support import IMPATIENT, create_body

SOURCES = Path(__file__).parents[3] / "operator"


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running simulator and its URL; it is killed if the test has not ended it."""
    command = [sys.executable, "-m", "gpuinstance_simulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=SOURCES) as running:
        try:
            assert running.stdout is not None
            line = running.stdout.readline().strip()
            assert line.startswith("listening on http://127.0.0.1:"), line
            yield running, line.removeprefix("listening on ")
        finally:
            running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_leaves_cleanly_when_told(tmp_path: Path, number: signal.Signals) -> None:
    """One line when ready; keys, speed, durations and faults from the command line; exit code 0."""
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps([{"operation": "clusters", "effect": {"kind": "answer", "status": 503}}]))
    arguments = ["--listen", "127.0.0.1:0", "--api-key", "a", "--api-key", "b", "--speed", "0"]
    with process(*arguments, "--to-create", "1", "--listing-lag", "3", "--faults", str(faults)) as (running, url):
        api = httpx.Client(base_url=url + PREFIX, headers={"Authorization": "Bearer b"})
        with api:
            assert api.get("/clusters").status_code == 503
            machine_id = api.post("/gpu/instance/create", json=create_body()).json()["id"]
            assert api.get("/gpu/instances").json()["total"] == 0
            httpx.post(url + "/_simulator/clock", json={"advance": 1})
            assert api.get("/gpu/instance", params={"instanceId": machine_id}).json()["status"] == "creating"
            hanging = {"operation": "clusters", "effect": {"kind": "hang", "when": "before"}}
            httpx.post(url + "/_simulator/faults", json=hanging)
            with pytest.raises(httpx.ReadTimeout):
                api.get("/clusters", timeout=IMPATIENT)
        running.send_signal(number)
        assert running.wait(timeout=5) == 0, "also while a call hangs"


def test_the_deletion_lag_follows_the_listing_lag() -> None:
    """Unless it is given."""
    parser = options.parser(PROVIDERS["novita"], "key")
    both = options.settings(parser.parse_args(["--listing-lag", "5"]))
    assert (both.listing_lag, both.deletion_lag) == (5, 5)
    one = options.settings(parser.parse_args(["--listing-lag", "5", "--deletion-lag", "0"]))
    assert one.deletion_lag == 0


def test_another_provider_is_served_if_it_is_named() -> None:
    """With its own API, states, quirks and applications."""
    arguments = ["--provider", "hostwinds", "--speed", "0", "--scheduling", "1", "--bare-reads"]
    with process(*arguments, "--http-port", "8090", "--http-port", "8091") as (_, url), httpx.Client() as visitor:
        form = {"API": "simulated-key", **ADD}
        assert visitor.post(url + PATH, data=form).json()[1]["message"] == "Server is being Created!"
        visitor.post(url + "/_simulator/clock", json={"advance": 1})
        (server,) = visitor.post(url + PATH, data=form | {"action": "get_instances"}).json()
        assert server["task_state"] == "networking"
        (machine,) = visitor.get(url + "/_simulator/machines").json()
        assert [(it["number"], it["protocol"]) for it in machine["ports"]] == [
            (8090, "http"),
            (8091, "http"),
            (2200, "tcp"),
        ]


@pytest.mark.parametrize(
    ("provider", "texts"),
    [
        ("novita", ("--pulling S", "(default: 30)", "--first-page {0,1}", "--gateway-auth")),
        ("hostwinds", ("--resize-migrating S", "(default: 20)", "--no-order {", "--bare-reads", "--http-port N")),
    ],
)
def test_help_tells_about_every_state_and_quirk(
    capsys: pytest.CaptureFixture[str], provider: str, texts: tuple[str, ...]
) -> None:
    """Each duration of the table and each quirk of the model has its option with its default."""
    with pytest.raises(SystemExit) as left:
        main(["--provider", provider, "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    for text in ("--warm-up S", "--api-key KEY", "--speed N", "listening on", *texts):
        assert text in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--listen", "8080"], "not HOST:PORT"),
        (["--speed", "-1"], "must not be negative"),
        (["--pulling", "soon"], "invalid"),
        (["--faults", "/no/such/file"], "No such file"),
        (["--first-page", "2"], "invalid choice"),
        (["--provider", "nobody"], "invalid choice"),
        (["--provider", "hostwinds", "--http-port", "0"], "must be between 1 and 65535"),
        (["--provider", "hostwinds", "--stale-seconds", "-1"], "stale_seconds"),
        (["--provider", "hostwinds", "--pulling", "1"], "unrecognized"),
    ],
)
def test_bad_options_are_explained(capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
    """Exit code 2 and a sentence."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert complaint in capsys.readouterr().err


def test_an_occupied_port_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, no traceback."""
    with process("--speed", "0") as (_, url):
        assert main(["--listen", url.removeprefix("http://")]) == 1
    assert "cannot serve" in capsys.readouterr().err
