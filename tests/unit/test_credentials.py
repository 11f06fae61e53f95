"""From an object to the account that pays: which Secret, which key, how often it is read."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

import pytest

from gpuinstance import credentials, logs
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ProviderName
from gpuinstance.credentials import Accounts, CredentialsUnavailable
from gpuinstance.kube import Kube, KubeError
from gpuinstance.providers.wrappers import SharedListing
from tests.builders import instance

KEY = "sk-0123456789abcdef"
SHARED = "gpu-system"
DEFAULT = "novita-credentials"


class Account:
    """Stands for a provider's client."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.closed = False

    async def aclose(self) -> None:
        """Release connections."""
        self.closed = True


class World:
    """Secrets that somebody edits, a clock that is turned by hand, and the accounts that were opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secrets: dict[tuple[str, str], Mapping[str, bytes]] = {}
        self.reads: list[str] = []
        self.opened: list[Account] = []
        self.seconds = 1000.0
        self.trouble: KubeError | None = None
        self.answering = asyncio.Event()
        self.answering.set()
        monkeypatch.setattr(credentials, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        monkeypatch.setattr(logs, "_kept", OrderedDict())
        self.accounts = Accounts(cast("Kube", self), self.open_account, shared_namespace=SHARED)

    def open_account(self, provider: ProviderName, key: str) -> SharedListing:
        """Play the provider."""
        assert provider is ProviderName.NOVITA
        self.opened.append(Account(key))
        return cast("SharedListing", self.opened[-1])

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Play the API server."""
        self.reads.append(f"{namespace}/{name}")
        found = self.secrets.get((namespace, name))
        await self.answering.wait()
        if self.trouble is not None:
            raise self.trouble
        return found

    def put(self, place: str, **data: str | bytes) -> None:
        """Somebody writes a Secret, e.g. `put("default/novita-credentials", apiKey="...")`."""
        namespace, name = place.split("/")
        self.secrets[namespace, name] = {k: v.encode() if isinstance(v, str) else v for k, v in data.items()}

    async def key_of(self, of: GPUInstance) -> str:
        """Return the key that pays for the object."""
        return cast("Account", await self.accounts.account_of(of)).key

    async def refusal(self, of: GPUInstance) -> str:
        """Return why nobody pays for the object."""
        with pytest.raises(CredentialsUnavailable) as caught:
            await self.accounts.account_of(of)
        return str(caught.value)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def of(namespace: str = "default", *, secret: str | None = None) -> GPUInstance:
    """Return an object in that namespace, which may name a Secret of its own."""
    fields = {"credentials_ref": {"name": secret}} if secret else {}
    made = instance().with_spec(**fields).build()
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"namespace": namespace})})


# -------------------------------------------------------------------------------------------- which Secret

ALLOWED = {
    "the namespace alone": ("team-a", True),
    "one of several, with commas": ("team-b,team-a,team-c", True),
    "one of several, with spaces and line ends": ("team-b\nteam-a \n", True),
    "all of them": ("*", True),
    "others": ("team-b, team-c", False),
    "one that only begins like it": ("team-ab team", False),
    "a pattern, which is not a name": ("team-*", False),
    "none": ("", False),
    "something that is not text": (b"\xff\xfe", False),
}


@pytest.mark.parametrize(("namespaces", "allowed"), ALLOWED.values(), ids=ALLOWED)
async def test_shared_credentials_are_for_those_whom_they_name(
    world: World, namespaces: str | bytes, *, allowed: bool
) -> None:
    """A namespace that is not listed is told to make its own Secret, as if there were no shared one."""
    world.put(f"{SHARED}/{DEFAULT}", apiKey=KEY, namespaces=namespaces)
    if allowed:
        assert await world.key_of(of("team-a")) == KEY
    else:
        assert await world.refusal(of("team-a")) == (
            "Secret team-a/novita-credentials does not exist: create it with "
            "`kubectl create secret generic novita-credentials -n team-a --from-literal=apiKey=…`"
        )


async def test_shared_credentials_without_a_list_are_for_nobody(world: World) -> None:
    """A forgotten key must not open an account to the whole cluster."""
    world.put(f"{SHARED}/{DEFAULT}", apiKey=KEY)
    assert "does not exist" in await world.refusal(of("team-a"))


async def test_a_secret_of_the_namespace_comes_first(world: World) -> None:
    """Also where the shared one would be allowed; that one is not even read."""
    world.put(f"{SHARED}/{DEFAULT}", apiKey="shared-key", namespaces="*")
    world.put(f"default/{DEFAULT}", apiKey=KEY)
    assert await world.key_of(of()) == KEY
    assert world.reads == [f"default/{DEFAULT}"]


async def test_a_broken_secret_of_the_namespace_is_not_replaced_by_the_shared_one(world: World) -> None:
    """Somebody else would pay for what its owner meant to pay."""
    world.put(f"{SHARED}/{DEFAULT}", apiKey=KEY, namespaces="*")
    world.put(f"default/{DEFAULT}", key=KEY)
    assert "has no key apiKey" in await world.refusal(of())


async def test_a_named_secret_is_the_only_one(world: World) -> None:
    """Neither the default nor the shared one pays for an object that names its own."""
    world.put(f"default/{DEFAULT}", apiKey="other-key")
    world.put(f"{SHARED}/{DEFAULT}", apiKey="shared-key", namespaces="*")
    assert "Secret default/mine does not exist" in await world.refusal(of(secret="mine"))
    world.seconds += 11
    world.put("default/mine", apiKey=KEY)
    assert await world.key_of(of(secret="mine")) == KEY


async def test_without_the_setting_nothing_is_shared(world: World) -> None:
    """No namespace but the object's own is ever read."""
    world.accounts = Accounts(cast("Kube", world), world.open_account, shared_namespace=None)
    assert "does not exist" in await world.refusal(of())
    assert world.reads == [f"default/{DEFAULT}"]


# ------------------------------------------------------------------------------------------------ which key

NOT_A_KEY = "not an API key: it must be one line of printable ASCII"
MALFORMED: dict[str, tuple[dict[str, str | bytes], str]] = {
    "an empty Secret": ({}, "has no key apiKey (it has: no keys)"),
    "another key in it: those it has are named": ({"token": "x", "api-key": "y"}, "(it has: api-key, token)"),
    "nothing under the key": ({"apiKey": ""}, NOT_A_KEY),
    "white space only": ({"apiKey": " \n\t "}, NOT_A_KEY),
    "two lines": ({"apiKey": f"{KEY}\n{KEY}"}, NOT_A_KEY),
    "a space within": ({"apiKey": f"Bearer {KEY}"}, NOT_A_KEY),
    "a control character": ({"apiKey": f"{KEY}\x00"}, NOT_A_KEY),
    "letters that no header can hold": ({"apiKey": f"{KEY}ü"}, NOT_A_KEY),
    "bytes that are not text": ({"apiKey": b"\xff\xfe\x00"}, NOT_A_KEY),
    "a whole file": ({"apiKey": "x" * 4097}, NOT_A_KEY),
}


@pytest.mark.parametrize(("data", "words"), MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_secret_is_described_and_not_shown(
    world: World, data: dict[str, str | bytes], words: str
) -> None:
    """The message names the Secret and what is wrong with it, and no value."""
    world.put(f"default/{DEFAULT}", **data)
    message = await world.refusal(of())
    assert words in message
    assert f"default/{DEFAULT}" in message
    assert KEY not in message
    assert world.opened == []


@pytest.mark.parametrize("written", [KEY, f"{KEY}\n", f"  {KEY}\r\n"])
async def test_space_around_a_key_is_forgiven(world: World, written: str) -> None:
    """`kubectl create secret --from-file` keeps a line end; what is known then is kept out of the logs."""
    world.put(f"default/{DEFAULT}", apiKey=written)
    assert await world.key_of(of()) == KEY
    assert logs.without_secrets(f"Authorization: Bearer {KEY}") == f"Authorization: Bearer {logs.BLOT}"


# ------------------------------------------------------------------------------------------------ how often


async def test_one_read_serves_all_who_ask(world: World) -> None:
    """A thousand objects that start together cost the API server one request."""
    world.put(f"default/{DEFAULT}", apiKey=KEY)
    world.answering.clear()
    asking = [asyncio.create_task(world.accounts.account_of(of())) for _ in range(1000)]
    await asyncio.sleep(0)
    world.seconds += 60  # a slow answer is still the answer to all of them
    asking += [asyncio.create_task(world.accounts.account_of(of())) for _ in range(10)]
    await asyncio.sleep(0)
    world.answering.set()
    accounts = await asyncio.gather(*asking)
    assert len(set(map(id, accounts))) == len(world.opened) == len(world.reads) == 1


async def test_a_changed_secret_takes_effect_within_seconds(world: World) -> None:
    """It is read again when ten seconds old, and not before."""
    world.put(f"default/{DEFAULT}", apiKey=KEY)
    assert await world.key_of(of()) == KEY
    world.put(f"default/{DEFAULT}", apiKey="the-new-key")
    world.seconds += 10
    assert await world.key_of(of()) == KEY
    world.seconds += 0.1
    assert await world.key_of(of()) == "the-new-key"
    assert len(world.reads) == 2


async def test_a_secret_that_appears_or_vanishes_is_noticed(world: World) -> None:
    """That there is none is remembered as long as what is in one."""
    assert "does not exist" in await world.refusal(of("a", secret="mine"))
    world.put("a/mine", apiKey=KEY)
    assert "does not exist" in await world.refusal(of("a", secret="mine"))
    world.seconds += 11
    assert await world.key_of(of("a", secret="mine")) == KEY
    world.secrets.clear()
    world.seconds += 11
    assert "does not exist" in await world.refusal(of("a", secret="mine"))


async def test_a_failed_read_is_tried_again_at_once(world: World) -> None:
    """It is told to those who asked, as what it is, and not remembered."""
    world.put(f"default/{DEFAULT}", apiKey=KEY)
    world.trouble = KubeError("API server: 403 Forbidden")
    with pytest.raises(KubeError, match="403"):
        await world.key_of(of())
    world.trouble = None
    assert await world.key_of(of()) == KEY


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others(world: World) -> None:
    """A cancelled pass ends alone."""
    world.put(f"default/{DEFAULT}", apiKey=KEY)
    world.answering.clear()
    impatient, patient = (asyncio.create_task(world.key_of(of())) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    world.answering.set()
    assert await patient == KEY
    assert len(world.reads) == 1


async def test_the_same_key_is_one_account(world: World) -> None:
    """Wherever it is written: one client, one listing; another key is another account."""
    world.put("a/mine", apiKey=KEY)
    world.put("b/yours", apiKey=KEY + "\n")
    world.put("c/theirs", apiKey="another-key")
    first = await world.accounts.account_of(of("a", secret="mine"))
    assert await world.accounts.account_of(of("b", secret="yours")) is first
    assert await world.accounts.account_of(of("c", secret="theirs")) is not first
    assert [it.key for it in world.opened] == [KEY, "another-key"]


async def test_accounts_are_bounded_and_the_idle_go_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are rotated for years leave no clients open; one that is in use stays."""
    monkeypatch.setattr(credentials, "_MOST_ACCOUNTS", 3)
    for number in range(5):
        world.put(f"default/s{number}", apiKey=f"key-number-{number}")
        await world.key_of(of(secret=f"s{number}"))
        await world.key_of(of(secret="s0"))
    await asyncio.sleep(0)
    assert [account.key for account in world.opened if not account.closed] == [f"key-number-{n}" for n in (0, 3, 4)]
    assert len(world.opened) == 5
    await world.accounts.aclose()
    assert all(account.closed for account in world.opened)


async def test_remembered_secrets_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten is read again, and nothing else comes of it."""
    monkeypatch.setattr(credentials, "_MOST_SECRETS", 3)
    for number in range(5):
        world.put(f"default/s{number}", apiKey=KEY)
        await world.key_of(of(secret=f"s{number}"))
    assert len(world.accounts._secrets) == 3
    assert await world.key_of(of(secret="s0")) == KEY
    assert len(world.reads) == 6
