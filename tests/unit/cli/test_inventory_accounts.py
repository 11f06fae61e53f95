"""Whose keys are read, whom they are shown to, and what is said where one is missing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gpuinstance.api.words import ProviderName
from gpuinstance.cli.cluster import Cluster, Resource
from gpuinstance.cli.endings import ClusterTrouble
from gpuinstance.cli.inventory_accounts import Inventory, Place, opener, places, read_inventory
from gpuinstance.core.model import Listing, Machine
from gpuinstance.providers.base import Provider, Unauthorized, Unavailable
from gpuinstance.providers.hostwinds import Hostwinds
from gpuinstance.providers.novita import Novita
from tests.materials import NOW, machine
from tests.unit.cli.objects import Object, instance

KEY = "canary-of-a-key"


class Secrets(Cluster):
    """A cluster that has these Secrets; an int is the status with which it refuses."""

    def __init__(self, held: dict[str, str | int | None]) -> None:
        self.held = held
        self.asked: list[str] = []

    def get(self, resource: Resource, namespace: str | None, name: str, *, only_metadata: bool = False) -> Object:
        """Return a Secret."""
        where = f"{namespace}/{name}"
        self.asked.append(where)
        value = self.held.get(where, 404)
        if isinstance(value, int):
            raise ClusterTrouble("no", status=value or None)
        return {"data": {} if value is None else {"apiKey": b64encode(value.encode()).decode()}}


class Account:
    """A provider that lists these machines, or fails."""

    def __init__(self, answer: Sequence[Machine] | Exception) -> None:
        self.answer = answer
        self.closed = False

    async def list_machines(self) -> Listing:
        """Answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return Listing(tuple(self.answer), NOW)

    async def aclose(self) -> None:
        """Note it."""
        self.closed = True


def of(name: str = "trainer", namespace: str = "team-a", *, provider: str = "novita", secret: str = "") -> Object:
    """Return a resource that takes its key from this Secret, or from the usual one."""
    it = instance(name, namespace)
    it["spec"] |= {"provider": provider} | ({"credentialsRef": {"name": secret}} if secret else {})
    return it


def read(held: dict[str, str | int | None], *wanted: Place, **answers: Any) -> tuple[Inventory, list[tuple[str, str]]]:
    """Return what was read, and with which keys whom."""
    opened: list[tuple[str, str]] = []

    def open_account(provider: ProviderName, key: str) -> Provider:
        opened.append((provider, key))
        return cast("Provider", Account(answers.get(provider, ())))

    return read_inventory(Secrets(held), wanted, open_account), opened


def place(namespace: str = "team-a", secret: str = "novita-credentials", **fields: Any) -> Place:  # noqa: S107 - a name
    return Place(ProviderName.NOVITA, namespace, secret, **{"named": True} | fields)


def test_the_places_of_keys() -> None:
    """What resources name comes first, the usual names of their namespaces follow, and none comes twice."""
    found = places([of(), of("other"), of(secret="own"), of(provider="elsewhere")], ["team-a"])
    assert [(it.words, it.named) for it in found] == [
        ("team-a/novita-credentials", True),
        ("team-a/own", True),
        ("team-a/hostwinds-credentials", False),
    ]


def test_one_key_is_asked_once() -> None:
    """However many Secrets hold it, with or without a newline at its end."""
    held: dict[str, str | int | None] = {"team-a/novita-credentials": KEY, "team-b/novita-credentials": f"{KEY}\n"}
    inventory, opened = read(held, place(), place("team-b"), novita=[machine()])
    assert opened == [("novita", KEY)]
    [account] = inventory.accounts
    assert account.secrets == ("team-a/novita-credentials", "team-b/novita-credentials")
    assert (account.machines, inventory.notes, inventory.is_dark) == ((machine(),), (), False)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (404, "Secret team-a/novita-credentials does not exist: its account at novita is left out; if it is shared"),
        (403, "you may not read Secret team-a/novita-credentials: its account at novita is left out"),
        (500, "Secret team-a/novita-credentials could not be read (no): its account at novita is left out"),
        (None, "Secret team-a/novita-credentials has no API key under apiKey: its account at novita is left out"),
    ],
)
def test_a_secret_that_gives_no_key(held: int | None, words: str) -> None:
    """It costs its account, which is said, and nothing else."""
    inventory, opened = read({"team-a/novita-credentials": held}, place())
    assert opened == []
    assert [note[: len(words)] for note in inventory.notes] == [words]
    assert inventory.is_dark


def test_a_usual_name_that_nobody_relies_on_is_not_missed() -> None:
    """Most namespaces use one provider."""
    inventory, _ = read({}, place(named=False))
    assert inventory.notes == ()


@pytest.mark.parametrize("status", [0, 401])
def test_a_cluster_that_does_not_answer_is_trouble(status: int) -> None:
    """It is no matter of one Secret."""
    with pytest.raises(ClusterTrouble):
        read({"team-a/novita-credentials": status}, place())


@pytest.mark.parametrize("error", [Unavailable("Novita could not be reached"), Unauthorized("the key is refused")])
def test_a_provider_that_does_not_answer(error: Exception) -> None:
    """It is said which, in its adapter's words, by the name of the Secret; the key is nowhere."""
    inventory, _ = read({"team-a/novita-credentials": KEY}, place(), novita=error)
    [account] = inventory.accounts
    assert account.machines is None
    assert inventory.notes == (f"novita was not read with Secret team-a/novita-credentials: {error}",)
    assert KEY not in repr(inventory)


def test_what_is_no_key_is_said() -> None:
    """An adapter refuses it before anything is sent."""
    inventory = read_inventory(
        Secrets({"team-a/novita-credentials": "two words"}), [place()], opener(novita_url="", hostwinds_url="")
    )
    assert "holds characters that are in no key" in inventory.notes[0]


def test_each_provider_has_its_adapter_and_address() -> None:
    """As the operator opens them."""
    open_account = opener(novita_url="http://n.example", hostwinds_url="http://h.example")
    assert isinstance(open_account(ProviderName.NOVITA, KEY), Novita)
    assert isinstance(open_account(ProviderName.HOSTWINDS, KEY), Hostwinds)
