"""The ways into a machine, read from each provider's answer."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.core.access import Access, Ssh
from gpuinstance.providers.hostwinds.access import AccessAnswer as OfHostwinds
from gpuinstance.providers.novita.access import AccessAnswer as OfNovita

SSH = {"sshCommand": "ssh -p 32787 root@proxy.example", "password": "canary-ssh", "isRunning": True}
JUPYTER = {"port": 8888, "address": "https://m-8888.example/lab", "isRunning": True}
WAY = Access(Ssh("proxy.example", 32787, "root"), "canary-ssh")

NOVITA: dict[str, tuple[dict[str, Any], Access]] = {
    "all of it": (
        {"connectComponentSSH": SSH, "connectComponentJupyter": JUPYTER},
        Access(WAY.ssh, "canary-ssh", "https://m-8888.example/lab"),
    ),
    "without a scheme": (
        {"connectComponentJupyter": JUPYTER | {"address": "m-8888.example"}},
        Access(jupyter_url="https://m-8888.example"),
    ),
    "nothing": ({}, Access()),
    "null": ({"connectComponentSSH": None, "connectComponentJupyter": None}, Access()),
    "another type": ({"connectComponentSSH": "ssh", "connectComponentJupyter": []}, Access()),
    "empty": ({"connectComponentSSH": {"sshCommand": "", "password": ""}}, Access()),
    "of another run": ({"connectComponentSSH": SSH | {"isRunning": False}}, Access()),
    "it does not say whether it runs": ({"connectComponentSSH": {k: SSH[k] for k in ("sshCommand", "password")}}, WAY),
    "a hostile command": ({"connectComponentSSH": SSH | {"sshCommand": "ssh root@h; id"}}, Access()),
    "a hostile password": ({"connectComponentSSH": SSH | {"password": "a\nb"}}, Access(WAY.ssh)),
    "a hostile address": ({"connectComponentJupyter": JUPYTER | {"address": "javascript:alert(1)//h"}}, Access()),
}


@pytest.mark.parametrize(("answer", "access"), NOVITA.values(), ids=NOVITA)
def test_novita(answer: dict[str, Any], access: Access) -> None:
    """What runs, read strictly; the rest is as if it were not there."""
    read = OfNovita.model_validate({"id": "m-1", **answer})
    assert read.to_access() == access
    assert "canary" not in repr(read)


SERVER = {"serviceid": 183, "main_ip": "203.0.113.10", "image": {"name": "Ubuntu 22.04"}, "password": "canary-root"}
HOSTWINDS: dict[str, tuple[dict[str, Any], Access]] = {
    "all of it": (SERVER, Access(Ssh("203.0.113.10", 22, "root"), "canary-root")),
    "no address yet": (SERVER | {"main_ip": "0.0.0.0"}, Access()),
    "Windows": (SERVER | {"image": {"name": "Windows Server 2022"}}, Access()),
    "no password": (SERVER | {"password": None}, Access(Ssh("203.0.113.10", 22, "root"))),
}


@pytest.mark.parametrize(("answer", "access"), HOSTWINDS.values(), ids=HOSTWINDS)
def test_hostwinds(answer: dict[str, Any], access: Access) -> None:
    """Root, at the server's own address."""
    read = OfHostwinds.model_validate(answer)
    assert read.to_access() == access
    assert "canary" not in repr(read)
