"""Asks the providers what machines they list, with the keys that the user may read.

The only room of the command line that talks to a provider, and it only lists. Keys come out of the Secrets that
resources name, read with the user's own kubeconfig; each distinct key is asked once, all of them at the same time.
A key is handed to the adapter and nowhere else: what is said about a failure names the Secret.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from gpuinstance.api.words import ProviderName
from gpuinstance.cli.cluster import SECRETS, Cluster
from gpuinstance.cli.endings import ClusterTrouble
from gpuinstance.cli.fields import Object, text_at
from gpuinstance.cli.inventory_rows import Account, secret_of
from gpuinstance.providers.base import Provider, ProviderError
from gpuinstance.providers.hostwinds import Hostwinds
from gpuinstance.providers.http import Limits
from gpuinstance.providers.novita import Novita

_LIMITS = Limits(total=20.0, connections=4, read_attempts=2, read_seconds=10.0)
"""A person waits: fewer and shorter tries than the operator's."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key may be."""

    provider: ProviderName
    namespace: str
    secret: str
    named: bool
    """False for a usual name that no resource relies on: its absence is nobody's trouble."""
    extra: bool = False
    """True where the user has named it on the command line."""

    @property
    def words(self) -> str:
        """The Secret as `namespace/name`."""
        return f"{self.namespace}/{self.secret}"


@dataclass(frozen=True, slots=True)
class Key:
    """One API key, and the Secrets that hold it."""

    provider: ProviderName
    value: str = field(repr=False)
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the providers have listed, and in words what could not be read."""

    accounts: tuple[Account, ...]
    notes: tuple[str, ...]

    @property
    def is_dark(self) -> bool:
        """True if no account has answered."""
        return not any(account.machines is not None for account in self.accounts)


Opener = Callable[[ProviderName, str], Provider]
"""Opens an account with a key. Raises ProviderError if it cannot be one."""


def opener(*, novita_url: str, hostwinds_url: str) -> Opener:
    """Return what opens accounts at these addresses."""

    def open_account(provider: ProviderName, key: str) -> Provider:
        if provider is ProviderName.HOSTWINDS:
            return Hostwinds(key, url=hostwinds_url, limits=_LIMITS)
        return Novita(key, base_url=novita_url, limits=_LIMITS)

    return open_account


def places(instances: Iterable[Object], namespaces: Iterable[str], extra: Iterable[Place] = ()) -> list[Place]:
    """Return where keys may be: what resources name first, then the usual names in the namespaces, each once."""
    found: dict[tuple[str, str, str], Place] = {}
    candidates = [Place(ProviderName(provider), *place, named=True) for provider, place in _named(instances)]
    candidates += extra
    candidates += [
        Place(it, namespace, f"{it}-credentials", named=False) for namespace in namespaces for it in ProviderName
    ]
    for place in candidates:
        found.setdefault((place.provider, place.namespace, place.secret), place)
    return list(found.values())


def read_inventory(cluster: Cluster, wanted: Sequence[Place], open_account: Opener) -> Inventory:
    """Read the keys and ask with each. What cannot be read becomes a note, and nothing is raised for it."""
    keys, notes = read_keys(cluster, wanted)
    accounts, troubles = asyncio.run(_ask_all(keys, open_account))
    return Inventory(tuple(accounts), (*notes, *troubles))


def read_keys(cluster: Cluster, wanted: Iterable[Place]) -> tuple[list[Key], list[str]]:
    """Return each distinct key once, and notes about Secrets that are wanted and give none.

    Raises ClusterTrouble only if the cluster does not answer at all.
    """
    found: dict[tuple[ProviderName, str], list[Place]] = {}
    notes = []
    for place in wanted:
        try:
            secret = cluster.get(SECRETS, place.namespace, place.secret)
        except ClusterTrouble as trouble:
            if trouble.status is None or trouble.status == HTTPStatus.UNAUTHORIZED:
                raise
            if place.named or place.extra:
                notes.append(_note(place, trouble))
            continue
        key = _key(secret)
        if key:
            found.setdefault((place.provider, key), []).append(place)
        else:
            notes.append(f"Secret {place.words} has no API key under apiKey: {_unread(place)}")
    return [Key(provider, value, tuple(at)) for (provider, value), at in found.items()], notes


def _named(instances: Iterable[Object]) -> Iterable[tuple[str, tuple[str, str]]]:
    for instance in instances:
        provider = text_at(instance, "spec", "provider")
        if provider in set(ProviderName):
            yield provider, secret_of(instance)


def _key(secret: Object) -> str:
    try:
        return b64decode(text_at(secret, "data", "apiKey"), validate=True).decode("ascii", errors="replace").strip()
    except NotBase64:
        return ""


def _note(place: Place, trouble: ClusterTrouble) -> str:
    if trouble.status == HTTPStatus.NOT_FOUND:
        shared = f"; if it is shared from elsewhere, name it: --credentials {place.provider}=NAMESPACE/NAME"
        return f"Secret {place.words} does not exist: {_unread(place)}{'' if place.extra else shared}"
    if trouble.status == HTTPStatus.FORBIDDEN:
        return f"you may not read Secret {place.words}: {_unread(place)}"
    return f"Secret {place.words} could not be read ({trouble}): {_unread(place)}"


def _unread(place: Place) -> str:
    return f"its account at {place.provider} is left out"


async def _ask_all(keys: Sequence[Key], open_account: Opener) -> tuple[list[Account], list[str]]:
    answers = await asyncio.gather(*(_ask(key, open_account) for key in keys))
    return [account for account, _ in answers], [trouble for _, trouble in answers if trouble]


async def _ask(key: Key, open_account: Opener) -> tuple[Account, str]:
    secrets = tuple(place.words for place in key.places)
    extra = any(place.extra for place in key.places)
    try:
        provider = open_account(key.provider, key.value)
        try:
            machines = (await provider.list_machines()).machines
        finally:
            await provider.aclose()
    except ProviderError as error:
        trouble = f"{key.provider} was not read with Secret {secrets[0]}: {error.message}"
        return Account(key.provider.value, secrets, None, extra), trouble
    return Account(key.provider.value, secrets, machines, extra), ""
