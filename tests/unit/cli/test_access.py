"""The way into a machine: only by plain parts, only from the instance's own Secret, never through a shell."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.access import arguments, secret_name, way_in
from gpuinstance.cli.command import run
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.core.access import Ssh
from tests.unit.cli import objects
from tests.unit.cli.objects import Object
from tests.unit.cli.test_command import Api, Kubectl, api, gpu, server, status

__all__ = ["api", "gpu", "server"]

UID = objects.instance()["metadata"]["uid"]
PARTS = {"sshHost": "proxy.example", "sshPort": "32787", "sshUser": "root"}
PASSWORD = "canary-of-a-password"


def connected(**connection: Any) -> Object:
    """Return an instance that publishes its connection."""
    it = objects.ready()
    it["spec"]["connection"] = connection
    return it


def secret(name: str = "trainer-connection", owner: str = UID, **data: str) -> Object:
    """Return the Secret as the API server gives it."""
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": name, "ownerReferences": [{"uid": owner}]}, "data": encoded}


def model(it: Object) -> GPUInstance:
    return GPUInstance.model_validate(it)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PARTS, Ssh("proxy.example", 32787, "root")),
        ({"sshCommand": "ssh -p 32787 root@proxy.example"}, Ssh("proxy.example", 32787, "root")),
        ({"sshCommand": "ssh root@192.0.2.7"}, Ssh("192.0.2.7", 22, "root")),
    ],
)
def test_the_parts_come_first_and_a_command_is_parsed(data: dict[str, str], expected: Ssh) -> None:
    """Either is enough."""
    assert way_in(model(connected()), secret(**data)).ssh == expected


@pytest.mark.parametrize(
    "data",
    [
        {**PARTS, "sshHost": "-oProxyCommand=touch x"},
        {**PARTS, "sshHost": "proxy.example; touch x"},
        {**PARTS, "sshUser": "-lroot"},
        {**PARTS, "sshUser": "root@elsewhere"},
        {**PARTS, "sshPort": "0"},
        {**PARTS, "sshPort": "70000"},
        {"sshCommand": "ssh -p 22 root@proxy.example touch x"},
        {"sshCommand": "ssh -oProxyCommand=x root@proxy.example"},
        {"sshCommand": "ssh -p 22 root@proxy.example\ntouch x"},
        {"sshCommand": "ssh root@$(touch x)"},
        {"sshCommand": "curl evil.example"},
    ],
)
def test_what_is_no_plain_address_is_not_used(data: dict[str, str]) -> None:
    """No option, no second command, nothing for a shell; and the text is not repeated."""
    with pytest.raises(Trouble) as trouble:
        way_in(model(connected()), secret(**data))
    assert trouble.value.code is Exit.REFUSED
    assert "touch" not in str(trouble.value)


def test_a_secret_of_somebody_else_is_not_used() -> None:
    """Whoever may create Secrets must not send people to a host of theirs."""
    with pytest.raises(Trouble, match="does not belong to trainer"):
        way_in(model(connected()), secret(owner="another", **PARTS))


def test_a_machine_without_ssh() -> None:
    """It is said what that may mean."""
    with pytest.raises(Trouble, match="no way in by SSH"):
        way_in(model(connected()), secret(endpoints="[]"))


def test_names_of_the_secret() -> None:
    """That of the spec, or the usual one; without a connection it is said how to get one."""
    assert secret_name(model(connected())) == "trainer-connection"
    assert secret_name(model(connected(secretName="own"))) == "own"
    with pytest.raises(Trouble) as trouble:
        secret_name(model(objects.ready()))
    assert '-n team-a patch gpui trainer --type merge -p \'{"spec":{"connection":{}}}\'' in str(trouble.value)


def test_nothing_of_a_command_is_an_option_of_ssh() -> None:
    """It is for the machine."""
    ssh = Ssh("proxy.example", 22, "root")
    assert arguments(ssh, ()) == ["ssh", "-p", "22", "root@proxy.example"]
    assert arguments(ssh, ["-oProxyCommand=x"])[-2:] == ["--", "-oProxyCommand=x"]


PATH = "/api/v1/namespaces/team-a/secrets/trainer-connection"


def test_print(api: Api, gpu: Kubectl) -> None:
    """The command alone; the password only where it is asked for, and beside it."""
    api.holds(connected())
    api.answers[PATH] = 200, secret(sshPassword=PASSWORD, **PARTS)
    result = gpu("ssh", "trainer", "--print")
    assert (result.code, result.out, result.err) == (0, "ssh -p 32787 root@proxy.example\n", "")
    result = gpu("ssh", "trainer", "--print", "--show-password")
    assert (result.out, result.err) == ("ssh -p 32787 root@proxy.example\n", f"password: {PASSWORD}\n")


def test_a_secret_that_is_not_there_yet(api: Api, gpu: Kubectl) -> None:
    """The operator's own words come first."""
    api.holds(connected())
    api.answers[PATH] = status(404, "NotFound", "not found", name="trainer-connection")
    result = gpu("ssh", "trainer")
    assert result.code == Exit.REFUSED
    assert "Secret trainer-connection does not exist" in result.err
    it = connected()
    it["status"]["connection"] = {"reason": "NameTaken", "message": "somebody else has a Secret of that name"}
    api.holds(it)
    assert "somebody else has a Secret of that name" in gpu("ssh", "trainer").err
    api.answers[PATH] = status(403, "Forbidden", "secrets is forbidden")
    assert (gpu("ssh", "trainer").code, "secrets is forbidden" in gpu("ssh", "trainer").err) == (1, True)


def test_ssh_takes_over_with_the_words_behind_the_dashes(
    api: Api, gpu: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each word is one argument, whatever a shell would make of it; options of ours may stand before the dashes."""
    api.holds(connected())
    api.answers[PATH] = 200, secret(**PARTS)
    gpu("version")  # writes the kubeconfig
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.touch(mode=stat.S_IRWXU)
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execve", lambda path, argv, _: started.append((path, argv)))
    argv = ["ssh", "trainer", "--kubeconfig", str(tmp_path / "config"), "--", "sh", "-c", "ls; id", "--", "x"]
    with (tmp_path / "out").open("w") as out:
        run(argv, out, out, {"PATH": str(program.parent)})
    machine = ["ssh", "-p", "32787", "root@proxy.example"]
    assert started == [(str(program), [*machine, "--", "sh", "-c", "ls; id", "--", "x"])]
    with (tmp_path / "out").open("w+") as out:
        assert run(argv, out, out, {"PATH": ""}) == 1
        out.seek(0)
        assert "there is no ssh" in out.read()


def test_other_commands_take_nothing_behind_the_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    """It would be lost without a word."""
    with pytest.raises(SystemExit) as end, Path(os.devnull).open("w") as out:
        run(["why", "trainer", "--", "now"], out, out, {})
    assert end.value.code == 2
    assert "why takes nothing behind --" in capsys.readouterr().err
