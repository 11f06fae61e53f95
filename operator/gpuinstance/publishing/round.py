"""One round for one instance: read what is there, make it as it should be, and say what stood in the way.

Called by `publisher`, which knows when. Secret and Service do not wait for each other: a trouble with one leaves
the other alone. What the provider is asked for - the secrets - it is asked for once for each occasion, not to find
out whether anything has changed: the Secret itself notes what it was made for.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from gpuinstance.api.connection import ConnectionStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.core import connection
from gpuinstance.core.connection import OCCASION, Wanted, Wish
from gpuinstance.guard import Guard
from gpuinstance.kube import Body, KubeError
from gpuinstance.metrics import Metrics
from gpuinstance.providers.base import Provider, ProviderError
from gpuinstance.publishing.objects import Foreign, Kind, Objects, difference, is_ours, require_ours
from gpuinstance.publishing.places import find_places

_MOST_ASKED = 5
"""SSH comes up later than its machine, or never: so often it is asked for before its absence is believed."""


@dataclass(slots=True)
class Made:
    """What is remembered of a Secret between rounds. Never the values."""

    data: str | None = None
    """A digest, to notice an edit. It stays in this process."""
    asked: int = 0
    """How often the provider was asked for the same occasion."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is not as it should be."""

    reason: Reason
    message: str


@dataclass(slots=True)
class Round:
    """Use it once: `run`, then read what it has found."""

    objects: Objects
    guard: Guard
    metrics: Metrics
    wish: Wish
    before: ConnectionStatus
    account: Provider | None
    made: Made
    secret_name: str | None = None
    service_name: str | None = None
    troubles: list[Trouble] = field(default_factory=list)
    is_complete: bool = True
    """False while the provider may still have more to tell."""

    async def run(self) -> None:
        """Make it so. Raises nothing that Kubernetes, a provider or a name server can cause."""
        before, wish = self.before, self.wish
        self.secret_name = before.secret_name if before.secret_name == wish.secret_name else None
        self.service_name = before.service_name if before.service_name == wish.service_name else None
        await self._attempt("the Secret", self._secret())
        await self._attempt("the Service", self._service())
        # The old ones go when the new ones are there, and also if those cannot be: they would not be kept up to date.
        if before.secret_name not in {None, wish.secret_name}:
            await self._attempt("the Secret of another name", self._leave_secret(str(before.secret_name)))
        if before.service_name not in {None, wish.service_name}:
            await self._attempt("the Service of another name", self._leave_service(str(before.service_name)))

    def break_off(self, why: Trouble) -> None:
        """Note that the round was not finished: what was published before may still be there."""
        self.secret_name = self.before.secret_name or self.secret_name
        self.service_name = self.before.service_name or self.service_name
        self.troubles.append(why)

    async def _attempt(self, what: str, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except Foreign as error:
            words = f"{error}: it is not touched; remove it, or choose another name in spec.connection"
            self.troubles.append(Trouble(Reason.CONNECTION_NAME_TAKEN, words))
        except ProviderError as error:
            words = f"{what} is not up to date, because the provider could not be asked: {error.message}"
            self.troubles.append(Trouble(Reason.CONNECTION_NOT_PUBLISHED, words))
        except KubeError as error:
            self.troubles.append(Trouble(Reason.CONNECTION_NOT_PUBLISHED, f"{what} is not up to date: {error}"))

    async def _secret(self) -> None:
        wish = self.wish
        if wish.secret_name is None:
            return
        found = await self.objects.get(Kind.SECRET, wish.namespace, wish.secret_name)
        if found is None or not is_ours(found, wish):
            self.secret_name = None
        require_ours(Kind.SECRET, found, wish)
        if wish.machine_id is None:
            # Emptied, not deleted: a pod that mounts it keeps its mount, and finds nothing that is wrong by now.
            content = {"data": _encoded(connection.public_data(wish))}
            if found is not None:
                await self._write(Kind.SECRET, found, self._wanted_secret(wish.occasion, content))
        elif found is None or not self._is_fresh(found):
            found = await self._write_access(found, wish.machine_id)
        self.secret_name = None if found is None else wish.secret_name

    def _is_fresh(self, found: Body) -> bool:
        """True if the Secret was made for this very occasion, and nobody has edited it as far as can be known."""
        data = found.get("data") or {}
        if (found["metadata"].get("annotations") or {}).get(OCCASION) != self.wish.occasion:
            return False
        if self.made.data is None:  # made by an earlier process
            public = _encoded(connection.public_data(self.wish))
            if any(data.get(key) != value for key, value in public.items()):
                return False
            self.made.data = _digest(data)
        return self.made.data == _digest(data)

    async def _write_access(self, found: Body | None, machine_id: str) -> Body:
        assert self.account is not None
        access = await self.account.get_access(machine_id)
        self.made.asked += 1
        self.is_complete = access.ssh is not None or self.made.asked >= _MOST_ASKED
        content = {"type": "Opaque", "data": _encoded(connection.secret_data(self.wish, access))}
        wanted = self._wanted_secret(self.wish.occasion if self.is_complete else "", content)
        saved = await self._write(Kind.SECRET, found, wanted)
        self.made.data = _digest(saved.get("data") or {})
        return saved

    def _wanted_secret(self, occasion: str, content: Mapping[str, Any]) -> Wanted:
        assert self.wish.secret_name is not None
        return Wanted(self.wish.secret_name, connection.labels(self.wish), {OCCASION: occasion}, content)

    async def _service(self) -> None:
        wish, name = self.wish, self.wish.service_name
        if name is None:
            return
        found = await self.objects.get(Kind.SERVICE, wish.namespace, name)
        if found is not None and not is_ours(found, wish):
            self.service_name = None
            await self._lead_to({}, name)  # whoever has the name by now gets no addresses from us
            require_ours(Kind.SERVICE, found, wish)
        if wish.ports:
            found = await self._write(Kind.SERVICE, found, connection.service(wish))
        self.service_name = None if found is None else name
        await self._lead_to(connection.hosts(wish.ports), name)

    async def _lead_to(self, hosts: Mapping[str, int], service_name: str) -> None:
        """Have exactly the slices for these hosts, each given with one of its ports."""
        wish, places = self.wish, await find_places(self.guard, hosts)
        selector = connection.selector_of_slices(service_name)
        shown = await self.objects.list(Kind.SLICE, wish.namespace, selector)
        found = {it["metadata"]["name"]: it for it in shown if is_ours(it, wish)}
        addresses = dict(places.addresses)
        for host in places.unknown:
            beginning = connection.slice_name(service_name, host)
            known = [it for name, it in found.items() if name.startswith(beginning)]
            texts = [text for it in known for endpoint in it.get("endpoints") or () for text in endpoint["addresses"]]
            addresses[host] = tuple(ip_address(text) for text in texts)
            words = f"the host name {host} cannot be resolved; it is tried again"
            self.troubles.append(Trouble(Reason.CONNECTION_NOT_PUBLISHED, words))
        for host, why in places.refused.items():
            settings = "GPUINSTANCE_CONNECTION_ALLOWED_NETWORKS and GPUINSTANCE_DENIED_NETWORKS"
            words = f"the Service does not lead to {host}: {why}; see {settings}"
            self.troubles.append(Trouble(Reason.CONNECTION_ADDRESS_REFUSED, words))
        for wanted in connection.slices(wish, addresses) if hosts else ():
            await self._write(Kind.SLICE, found.pop(wanted.name, None), wanted)
        for it in found.values():
            await self.objects.delete(Kind.SLICE, it)
            self.metrics.wrote(Kind.SLICE.label.lower())

    async def _write(self, kind: Kind, found: Body | None, wanted: Wanted) -> Body:
        """Create the object, or change what differs; return it as it is then."""
        if found is None:
            saved = await self.objects.create(kind, self.wish, wanted)
        elif patch := difference(found, wanted):
            saved = await self.objects.patch(kind, found, patch)
        else:
            return found
        self.metrics.wrote(kind.label.lower())
        return saved

    async def _leave_secret(self, name: str) -> None:
        """Remove the Secret of an earlier name; while that fails, the status goes on to name it."""
        new, self.secret_name = self.secret_name, name
        await self._remove(Kind.SECRET, name)
        self.secret_name = new

    async def _leave_service(self, name: str) -> None:
        """Remove the Service of an earlier name, and its slices; while that fails, the status goes on to name it."""
        new, self.service_name = self.service_name, name
        await self._remove(Kind.SERVICE, name)
        await self._lead_to({}, name)
        self.service_name = new

    async def _remove(self, kind: Kind, name: str) -> None:
        """Delete an object of an earlier name, if it is ours."""
        found = await self.objects.get(kind, self.wish.namespace, name)
        if found is not None and is_ours(found, self.wish):
            await self.objects.delete(kind, found)
            self.metrics.wrote(kind.label.lower())


def _encoded(data: Mapping[str, str]) -> dict[str, str]:
    return {key: b64encode(value.encode()).decode() for key, value in data.items()}


def _digest(data: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
