"""A key that is refused, and the Secret that is changed: it takes effect at once, in the running process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from gpuinstance import credentials
from gpuinstance.api.words import ProviderName
from gpuinstance.core.model import Listing
from gpuinstance.credentials import Accounts
from gpuinstance.kube import Kube
from gpuinstance.providers.base import Provider, Unauthorized
from gpuinstance.providers.governing.governed import Governed
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.wrappers import SharedListing
from tests.builders import instance
from tests.unit.providers.governing import Notebook, now, play

MOMENT = datetime(2026, 8, 22, tzinfo=UTC)


class Cloud:
    """A provider that knows one key, and counts who asks with which."""

    def __init__(self, right_key: str) -> None:
        self.right_key = right_key
        self.asked: list[tuple[str, float]] = []

    def listing(self, key: str) -> Listing:
        """Answer a listing."""
        self.asked.append((key, now()))
        if key != self.right_key:
            raise Unauthorized("the key is refused")
        return Listing((), MOMENT)


class World:
    """A Secret, a cloud, and the accounts between them, as the composition root builds them."""

    def __init__(self) -> None:
        self.key = "the-old-key"
        self.cloud = Cloud("the-new-key")
        self.accounts = Accounts(cast("Kube", self), self._open, shared_namespace=None)

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Play the API server."""
        return {"apiKey": self.key.encode()}

    def _open(self, provider: ProviderName, key: str) -> SharedListing:
        async def list_machines() -> Listing:
            return self.cloud.listing(key)

        adapter = cast("Provider", SimpleNamespace(name="novita", list_machines=list_machines))
        governor = Governor("novita", Allowance(), Notebook(), monotonic=now)
        return SharedListing(Governed(adapter, governor), monotonic=now)

    async def look(self) -> Listing:
        """Look at the machines, as each pass does."""
        account = await self.accounts.account_of(instance().build())
        return await account.listing(max_age=2.7)


def test_a_changed_secret_is_tried_although_the_old_key_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old key is tried less and less, the new one as soon as the Secret is read again: within ten seconds."""
    monkeypatch.setattr(credentials, "time", SimpleNamespace(monotonic=now))

    async def story() -> None:
        world = World()
        while now() < 3600:
            with pytest.raises(Unauthorized):
                await world.look()
            await asyncio.sleep(10)
        assert len(world.cloud.asked) < 15
        world.key = "the-new-key"
        changed = now()
        while True:
            try:
                assert await world.look() == Listing((), MOMENT)
                break
            except Unauthorized:
                await asyncio.sleep(1)
        assert now() - changed <= 11
        assert [key for key, at in world.cloud.asked if at >= changed] == ["the-new-key"]

    play(story())
