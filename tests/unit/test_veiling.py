"""A provider's words about a machine are shown without what came from Secrets into its environment."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import cast

import pytest

from gpuinstance import logs
from gpuinstance.api.parts import EnvVar
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.core.model import Machine
from gpuinstance.credentials import Accounts
from gpuinstance.veiling import veiled
from tests.builders import instance
from tests.materials import machine

TOKEN = "tOkEn-0123456789-abcdef"


class Secrets:
    """The Secrets of the namespace, by name and key, and how often they were read."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.reads = 0

    async def secret_text(self, namespace: str, name: str, key: str) -> str | None:
        """Play the accounts."""
        assert (namespace, name) == ("default", "team")
        self.reads += 1
        return self.values.get(key)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log know no secret, as after a restart."""
    monkeypatch.setattr(logs, "_kept", OrderedDict())


def of(*keys: str) -> GPUInstance:
    """Return an instance with a plain variable, and one for each of these keys of the Secret `team`."""
    variables = [{"name": "PLAIN", "value": "visible-to-everybody"}]
    references = [{"name": key.upper(), "valueFrom": {"secretKeyRef": {"name": "team", "key": key}}} for key in keys]
    env = [EnvVar.model_validate(it) for it in [*variables, *references]]
    return instance().running().with_spec(env=env).build()


async def words(secrets: Secrets, at: GPUInstance, *machines: Machine) -> list[str]:
    """Return what is shown about the machines."""
    return [it.trouble for it in await veiled(cast("Accounts", secrets), at, machines)]


async def test_secrets_are_read_again_for_a_machine_in_trouble() -> None:
    """What the log has forgotten is blotted out all the same; what is plain in the spec may be quoted."""
    failed = replace(machine(), trouble=f"exited: TOKEN={TOKEN} PLAIN=visible-to-everybody")
    well = machine("m-2")
    secrets = Secrets(token=TOKEN)
    shown = await words(secrets, of("token"), failed, well)
    assert shown == [f"exited: TOKEN={logs.BLOT} PLAIN=visible-to-everybody", ""]


async def test_nothing_is_read_for_machines_that_are_well() -> None:
    """Thousands of objects at rest cost no read of a Secret."""
    secrets = Secrets(token=TOKEN)
    machines = (machine(), machine("m-2"))
    assert await veiled(cast("Accounts", secrets), of("token"), machines) == machines
    assert secrets.reads == 0


async def test_words_are_withheld_where_a_secret_has_gone() -> None:
    """Nobody knows any more what to look for in them; the trouble itself is not hidden."""
    failed = replace(machine(), trouble=f"exited: {TOKEN}")
    (shown,) = await words(Secrets(), of("token"), failed)
    assert TOKEN not in shown
    assert "Secret team lacks token" in shown


async def test_nothing_else_of_the_machine_is_touched() -> None:
    """A machine whose name holds a secret is still found by its name."""
    failed = replace(machine(), trouble="exited", name=TOKEN)
    assert await veiled(cast("Accounts", Secrets(token=TOKEN)), of("token"), [failed]) == (failed,)
