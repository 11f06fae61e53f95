"""From an object to the account that pays for it: Secret → API key → provider client.

Called by `reconcile`. All objects with the same key share one client and thereby one listing.
Secrets are read again every few seconds, once for all objects that name them, so that a changed
Secret takes effect without a restart and without watching every Secret of the cluster.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ProviderName
from gpuinstance.kube import Kube
from gpuinstance.logs import keep_secret

if TYPE_CHECKING:
    from gpuinstance.providers.wrappers import SharedListing

_SECRET_MAX_AGE = 10.0
"""Seconds for which a read Secret is believed."""
_KEY_FIELD = "apiKey"
_NAMESPACES_FIELD = "namespaces"
_LONGEST_KEY = 4096
_MOST_SECRETS = 1000
_MOST_ACCOUNTS = 200

SecretData = Mapping[str, bytes]


class CredentialsUnavailable(Exception):
    """No usable API key; the message says which Secret lacks what."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an account's key was last found."""

    digest: str
    """Tells accounts apart, and reveals nothing."""
    namespace: str
    secret: str


class Accounts:
    """The accounts in use, by API key."""

    def __init__(
        self, kube: Kube, open_account: Callable[[ProviderName, str], SharedListing], *, shared_namespace: str | None
    ) -> None:
        self._kube = kube
        self._open = open_account
        self._shared_namespace = shared_namespace
        self._secrets: OrderedDict[tuple[str, str], tuple[float, asyncio.Task[SecretData | None]]] = OrderedDict()
        self._accounts: OrderedDict[str, SharedListing] = OrderedDict()
        self._places: dict[str, Place] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def account_of(self, instance: GPUInstance) -> SharedListing:
        """Return the account of an object. Raises CredentialsUnavailable, KubeError."""
        provider = instance.spec.provider
        key, namespace, secret = await self._api_key(instance)
        keep_secret(key)
        digest = hashlib.sha256(f"{provider}\0{key}".encode()).hexdigest()
        self._places[digest] = Place(digest, namespace, secret)
        account = self._accounts.get(digest)
        if account is None:
            account = self._accounts[digest] = self._open(provider, key)
            self._drop_oldest_accounts()
        self._accounts.move_to_end(digest)
        return account

    def has_room(self) -> bool:
        """Return whether one more account can be opened without closing another one."""
        return len(self._accounts) < _MOST_ACCOUNTS

    def open(self) -> list[tuple[ProviderName, SharedListing, Place]]:
        """Return the accounts in use, each with its provider and with where its key is."""
        return [(ProviderName(it.name), it, self._places[digest]) for digest, it in self._accounts.items()]

    async def _api_key(self, instance: GPUInstance) -> tuple[str, str, str]:
        """Return the key, and namespace and name of the Secret that holds it."""
        namespace = instance.metadata.namespace
        reference = instance.spec.credentials_ref
        default = f"{instance.spec.provider}-credentials"
        name = reference.name if reference else default
        secret = await self._secret(namespace, name)
        if secret is not None:
            return _valid_key(secret, f"{namespace}/{name}"), namespace, name
        shared = self._shared_namespace
        if reference is None and shared is not None:
            secret = await self._secret(shared, default)
            if secret is not None and _allows(secret, namespace):
                return _valid_key(secret, f"{shared}/{default}"), shared, default
        hint = f"kubectl create secret generic {name} -n {namespace} --from-literal={_KEY_FIELD}=…"
        raise CredentialsUnavailable(f"Secret {namespace}/{name} does not exist: create it with `{hint}`")

    async def _secret(self, namespace: str, name: str) -> SecretData | None:
        """Return a Secret that is at most a few seconds old; one read serves all who ask."""
        place = (namespace, name)
        read_at, task = self._secrets.get(place, (0.0, None))
        failed = task is not None and task.done() and (task.cancelled() or task.exception() is not None)
        if task is None or failed or (task.done() and time.monotonic() - read_at > _SECRET_MAX_AGE):
            task = asyncio.create_task(self._kube.get_secret(namespace, name))
            self._secrets[place] = (time.monotonic(), task)
            while len(self._secrets) > _MOST_SECRETS:
                self._secrets.popitem(last=False)
        return await asyncio.shield(task)

    async def secret_text(self, namespace: str, name: str, key: str) -> str | None:
        """Return one value of a Secret, as text; None if there is none. Raises KubeError."""
        raw = (await self._secret(namespace, name) or {}).get(key)
        if raw is None:
            return None
        text = raw.decode("utf-8", errors="replace").strip()
        keep_secret(text)
        return text

    def _drop_oldest_accounts(self) -> None:
        while len(self._accounts) > _MOST_ACCOUNTS:
            digest, account = self._accounts.popitem(last=False)
            del self._places[digest]
            task = asyncio.create_task(account.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close all clients."""
        await asyncio.gather(*(account.aclose() for account in self._accounts.values()), return_exceptions=True)


async def read_headers(accounts: Accounts, health_check: HealthCheck, namespace: str) -> dict[int, dict[str, str]]:
    """Return the headers of each port's checks; one whose Secret is missing is left out. Raises KubeError."""
    found: dict[int, dict[str, str]] = {}
    for endpoint in health_check.endpoints or ():
        for header in endpoint.headers or ():
            value = header.value
            if header.value_from is not None:
                reference = header.value_from.secret_key_ref
                value = await accounts.secret_text(namespace, reference.name, reference.key)
            if value is not None:
                found.setdefault(endpoint.port, {})[header.name] = value
    return found


def _valid_key(secret: SecretData, where: str) -> str:
    raw = secret.get(_KEY_FIELD)
    if raw is None:
        found = ", ".join(sorted(secret)) or "no keys"
        raise CredentialsUnavailable(f"Secret {where} has no key {_KEY_FIELD} (it has: {found})")
    key = raw.decode("utf-8", errors="replace").strip()
    if not key or len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise CredentialsUnavailable(
            f"{_KEY_FIELD} in Secret {where} is not an API key: it must be one line of printable ASCII"
        )
    return key


def _allows(secret: SecretData, namespace: str) -> bool:
    listed = secret.get(_NAMESPACES_FIELD, b"").decode("utf-8", errors="replace").replace(",", " ").split()
    return "*" in listed or namespace in listed
