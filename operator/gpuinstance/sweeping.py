"""The sweep: machines that carry our mark and belong to no object are billed until somebody notices.

Runs beside the work, on one leader only: with shards on one of them, for the accounts of all. It reports by metric,
log and Event; it removes only where the settings allow it, a few at a time, and stops by itself when too many would
go. It looks at the provider first and at the cluster second, and believes nothing that it has not seen twice over
minutes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import KIND, GPUInstance
from gpuinstance.config import Settings
from gpuinstance.core.model import Machine
from gpuinstance.core.orphans import Sighting, confirmed, describe, note, removable, without_object
from gpuinstance.credentials import Accounts, CredentialsUnavailable, Place
from gpuinstance.kube import Body, Forbidden, Kube, KubeError
from gpuinstance.metrics import Metrics
from gpuinstance.providers.base import NotFound, ProviderError

if TYPE_CHECKING:
    from gpuinstance.providers.wrappers import SharedListing

_log = structlog.get_logger(__name__)

_EVENTS_LAST = timedelta(minutes=55)
"""Kubernetes forgets an Event after an hour: one about an orphan that stays is repeated before that."""


@dataclass(slots=True)
class Sweep:
    """Looks for orphans in every account in use."""

    kube: Kube
    accounts: Accounts
    settings: Settings
    metrics: Metrics
    clock: Callable[[], datetime]
    is_ours: Callable[[], bool] = lambda: True
    """Whether it is this shard's leader that sweeps."""
    instances: Callable[[], Iterable[Body]] = tuple
    """All instances as last seen: other shards use accounts that this process has not asked yet."""
    _sightings: dict[str, dict[str, Sighting]] = field(default_factory=dict)
    """By account."""
    _told: dict[str, datetime] = field(default_factory=dict)
    """When an Event about a machine was last posted."""

    def orphans(self) -> dict[str, float]:
        """Return the number of orphans by provider, for gauges."""
        found: dict[str, set[str]] = {}
        for _, account, place in self.accounts.open():
            orphans = confirmed(self._sightings.get(place.digest, {}), self.clock(), after=self.settings.orphan_after)
            # Two keys may open the same account, as after a key was changed.
            found.setdefault(account.name, set()).update(machine.id for machine in orphans)
        return {name: float(len(ids)) for name, ids in found.items()}

    async def run(self) -> None:
        """Sweep for ever. Raises nothing but cancellation."""
        while True:
            await asyncio.sleep(self.settings.orphan_sweep_seconds * random.uniform(0.9, 1.1))  # noqa: S311 - jitter
            try:
                await self.once()
            except KubeError as error:
                _log.warning("a sweep for orphans was not completed", error=str(error))
            except Exception:  # noqa: BLE001 - the next sweep may go well
                _log.exception("a sweep for orphans failed unexpectedly")

    async def once(self) -> None:
        """Sweep all accounts that can be read. Raises KubeError; what was seen before is kept."""
        if self.settings.namespaces or not self.is_ours():
            return  # Machines of other namespaces' objects would look like orphans.
        await self._open_all()
        seen = []
        for _, account, place in self.accounts.open():
            try:
                # Asked anew, and all of it before the cluster is read.
                seen.append((account, place, await account.listing(max_age=0)))
            except ProviderError as error:  # such as a key that was revoked; that is no reason to forget the others
                _log.warning("an account was not swept for orphans", provider=account.name, error=str(error))
        if not seen:
            return
        objects = await self.kube.list_objects(KIND, None)
        uids = {body["metadata"]["uid"] for body in objects}
        named = {it for body in objects for it in _named(body)}
        now = self.clock()
        for account, place, listing in seen:
            found = without_object(listing.machines, mark=self.settings.mark, uids=uids, recorded=named)
            sightings = note(self._sightings.get(place.digest, {}), found, now)
            self._sightings[place.digest] = sightings
            orphans = confirmed(sightings, now, after=self.settings.orphan_after)
            ours = sum(it.name.startswith(f"{self.settings.mark}-") for it in listing.machines)
            for machine in orphans:
                await self._tell(sightings[machine.id], account, place, now)
            await self._remove(orphans, ours, account)
        self._told = {it: at for it, at in self._told.items() if now - at < _EVENTS_LAST}

    async def _open_all(self) -> None:
        """Open the accounts of all instances; most are open already, by the passes of this process."""
        by_secret: dict[tuple[str, ...], Body] = {}
        for body in self.instances():
            spec = body.get("spec") or {}
            secret = (spec.get("credentialsRef") or {}).get("name") or ""
            by_secret[body["metadata"]["namespace"], str(spec.get("provider")), secret] = body
        for (namespace, provider, secret), body in by_secret.items():
            if not self.accounts.has_room():  # one that passes here use would be closed for it
                _log.warning("not all accounts may have been swept for orphans: as many are open as may be")
                return
            try:
                await self.accounts.account_of(GPUInstance.model_validate(body))
            except Forbidden as error:  # in one namespace, such as by an administrator; the others are swept
                _log.warning(
                    "an account was not swept for orphans",
                    provider=provider,
                    namespace=namespace,
                    secret=secret or "the usual one",
                    error=str(error),
                )
            except (CredentialsUnavailable, ValidationError):
                continue  # its own pass tells its owner

    async def _tell(self, sighting: Sighting, account: SharedListing, place: Place, now: datetime) -> None:
        machine, told_at = sighting.machine, self._told.get(sighting.machine.id)
        next_sweep = now + timedelta(seconds=self.settings.orphan_sweep_seconds)
        if told_at is not None and next_sweep - told_at < _EVENTS_LAST:
            return
        _log.warning("orphan", provider=account.name, machine=machine.id, name=machine.name, state=machine.word)
        # The Secret is what the account has in the cluster; its own namespace's people can see the Event.
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": place.namespace, "name": place.secret, "uid": "", "resourceVersion": ""},
        }
        words = describe(sighting, account.name)
        try:
            await self.kube.post_event(secret, reason=Reason.ORPHANED_MACHINE, message=words, warning=True)
        except KubeError as error:
            _log.warning("an Event could not be posted", reason=Reason.ORPHANED_MACHINE, error=str(error))
            return  # The next sweep tells it.
        self._told[machine.id] = now
        self.metrics.wrote("event")

    async def _remove(self, orphans: list[Machine], ours: int, account: SharedListing) -> None:
        if not self.settings.orphan_deletion or not orphans:
            return
        chosen = removable(orphans, ours=ours, most=self.settings.orphan_deletion_limit)
        if not chosen:
            text = "no orphan is removed: they are too many, or frozen at the provider"
            _log.error(text, provider=account.name, orphans=len(orphans), ours=ours)
        for machine in chosen:
            try:
                await account.delete(machine.id)
            except NotFound:
                continue
            except ProviderError as error:
                _log.warning("an orphan was not removed", machine=machine.id, error=str(error))
            else:
                _log.warning("removed an orphan", provider=account.name, machine=machine.id, name=machine.name)


def _named(body: Body) -> list[str]:
    """Return the ids of machines that an object has, or wants to adopt."""
    recorded = ((body.get("status") or {}).get("instance") or {}).get("id")
    wanted = ((body.get("spec") or {}).get("adopt") or {}).get("instanceID")
    return [it for it in (recorded, wanted) if it]
