"""The pass, and the one corridor through which everything goes:

    observe → decide → save the intent → act once → record → save → tell

Called by the wake queue, for one object at a time; the only caller of the rules, the providers, the
probes and Kubernetes. It decides nothing, and it is the same for every kind: what differs is a `Kind`.
An instance and its upgrades take turns, so that none of them decides while another one acts. A conflict
ends the pass: the object has changed, so the picture was old, and nothing has been done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog
from pydantic import ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from gpuinstance.acting import act
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.core.news import News
from gpuinstance.core.record import Answer
from gpuinstance.kinds import AnyDecision, AnyLook, AnyResource, AnyStatus, Kind
from gpuinstance.known import Known, instance_of, is_behind, is_older, went_back
from gpuinstance.kube import Body, Conflict, Forbidden, Key, Kube, KubeError, Vanished, merge_patch, version_of
from gpuinstance.metrics import Metrics
from gpuinstance.outgoing import Outgoing

_log = structlog.get_logger(__name__)

_AFTER_CONFLICT = timedelta(milliseconds=200)
_AFTER_API_TROUBLE = timedelta(seconds=5)
_AFTER_BUG = timedelta(seconds=60)
_RECORD_PATIENCE_SECONDS = 20.0
"""How long to insist on saving what a call has just brought about; after that, looking finds it."""
_MOST_PENDING_EVENTS = 1000


@dataclass(slots=True)
class Reconciler:
    """Makes the world follow one object at a time."""

    kube: Kube
    kinds: Mapping[str, Kind]
    known: Known
    metrics: Metrics
    outgoing: Outgoing | None = None
    """Where the notifications go; None: nobody is told anything."""
    wake: Callable[[Key], None] = lambda _: None
    """Called for the instance of an upgrade that was written, and for the upgrades of an instance that was."""
    _released: dict[Key, asyncio.Event] = field(default_factory=dict)
    _turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _telling: set[asyncio.Task[None]] = field(default_factory=set)
    _dropped: dict[Key, Body] = field(default_factory=dict)
    """The last patch that changed nothing: a CRD that is older than the operator drops what it does not know."""
    _taken: dict[Key, Body] = field(default_factory=dict)
    """Statuses that somebody has taken away, as they were before."""

    def see(self, key: Key, body: Body) -> None:
        """Take note of the object as the watch shows it, unless something newer is known."""
        before = self.known.last(key)
        if before is not None and went_back(before, body):
            # Nobody else writes it, and it never goes back by itself. Believing it could buy a second machine,
            # or repeat what a token asked for once.
            _log.warning("somebody has taken the status away: it is written again", object=_name(key))
            self._taken.setdefault(key, before["status"])
        elif key in self._taken and not is_older(body, before) and not is_behind(self._taken[key], body):
            del self._taken[key]  # it is back: by the leader of another shard, which looks after the object
        self.known.see(key, body)

    def _note(self, key: Key, body: Body, *, was_known: bool) -> None:
        """Take note of an answer, unless the watch has shown the object's end while it was on its way."""
        if not was_known or self.known.last(key) is not None:
            self.see(key, body)

    def forget(self, key: Key) -> None:
        """The object is gone from the cluster."""
        self._wake_relatives(key)
        self.known.forget(key)
        self._taken.pop(key, None)
        self._dropped.pop(key, None)
        self.kinds[key.kind].forget(key.uid)
        if self.outgoing is not None:
            self.outgoing.forget(key)
        self.kinds[key.kind].pass_over(key)
        self.released(key).set()
        self._released.pop(key, None)

    def is_watched(self, key: Key) -> bool:
        """Whether what changes at the provider wakes the object."""
        return self.kinds[key.kind].is_watched(key.uid)

    def released(self, key: Key) -> asyncio.Event:
        """Return the event that is set once the object may go."""
        return self._released.setdefault(key, asyncio.Event())

    async def prime(self, namespaces: Sequence[str]) -> None:
        """Learn of all upgrades before the first pass: an instance must not act under one. Raises KubeError."""
        for namespace in namespaces or (None,):
            for body in await self.kube.list_objects(UPGRADE_KIND, namespace):
                self.see(Key.of(body), body)

    async def once(self, key: Key) -> timedelta | None:
        """One pass over one object; returns when to look again. Raises nothing but cancellation."""
        started = asyncio.get_running_loop().time()
        result, again = "done", None
        try:
            async with await self._turn(key):
                again = await self._pass(key)
        except Conflict:
            self.known.doubt(key)
            self.metrics.conflict()
            result, again = "conflict", _AFTER_CONFLICT
        except Vanished:
            self.forget(key)
            result = "vanished"
        except KubeError as error:
            _log.warning("the API server cannot be used", object=_name(key), error=str(error))
            result, again = "kubernetes", _AFTER_BUG if isinstance(error, Forbidden) else _AFTER_API_TROUBLE
        except ValidationError as error:
            _log.error(
                "the object does not fit its schema",
                object=_name(key),
                error=str(error.errors(include_input=False))[:500],
            )
            result, again = "invalid", _AFTER_BUG
        except Exception:  # noqa: BLE001 - a bug in one object's pass must not stop the others
            _log.exception("a pass failed unexpectedly", object=_name(key))
            result, again = "error", _AFTER_BUG
        finally:
            self.kinds[key.kind].pass_over(key)
        self.metrics.passed(result, asyncio.get_running_loop().time() - started)
        return again

    async def _turn(self, key: Key) -> asyncio.Lock:
        """Return the lock that an instance and its upgrades share. Raises KubeError."""
        body = self.known.last(key)
        if body is None and key.kind == UPGRADE_KIND:
            body = await self.kube.get_object(key)  # whose upgrade it is has to be known first
            self.see(key, body)
        name = instance_of(key, body) if body is not None else (key.namespace, key.name)
        # Weakly kept: a lock lives as long as somebody holds it or waits for it.
        return self._turns.setdefault(name, asyncio.Lock())

    async def _pass(self, key: Key) -> timedelta | None:
        # The object as last seen will do: whatever is done is first saved with its resourceVersion
        # as precondition. Only a deleting object is read: kopf holds back its events meanwhile.
        kind = self.kinds[key.kind]
        body = self.known.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            was_known = self.known.last(key) is not None
            body = await self.kube.get_object(key)
            self._note(key, body, was_known=was_known)
        taken = self._taken.get(key)
        resource = kind.parse(body if taken is None else {**body, "status": taken})
        look = await kind.look(resource)
        decision = look.decision
        self.metrics.decided(decision.rule)
        announced = self._announced(key, resource, look.status, decision)
        saved = await self._save(key, body, look.status if taken is None else kind.parse(body).status, announced)
        self._taken.pop(key, None)
        if decision.release:
            if self.outgoing is not None and (left := self.outgoing.holds(key, saved)) is not None:
                return left
            self.released(key).set()
            return None
        if decision.remove:
            await self.kube.delete_object(saved)
            return None
        if decision.action is None:
            status = await kind.publish(look)
            if status is not None:
                await self._save(key, saved, decision.status, status)
            return decision.requeue_after
        if saved is body:
            # Nothing was written, so nothing has proved yet that the object is still as it was.
            await self._require_current(key, body)
        return await self._act_and_record(key, saved, look)

    async def _require_current(self, key: Key, body: Body) -> None:
        current = await self.kube.get_object(key)
        if version_of(current) != version_of(body):
            raise Conflict("the object has changed")

    async def _act_and_record(self, key: Key, saved: Body, look: AnyLook) -> timedelta | None:
        action, account = look.decision.action, look.account
        assert action is not None
        assert account is not None
        answer = await act(account, action)
        name = type(action).__name__
        _log.info(
            "called the provider", object=_name(key), action=name, answer=type(answer).__name__, rule=look.decision.rule
        )
        return (await self._record(key, saved, look, answer)).requeue_after

    async def _record(self, key: Key, saved: Body, look: AnyLook, answer: Answer) -> AnyDecision:
        """Save what became of the call, and insist: somebody may edit the object at this moment."""
        kind = self.kinds[key.kind]
        body = saved
        intent = kind.intent(kind.parse(saved))
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, KubeError) and not isinstance(e, Vanished)),
            wait=wait_random_exponential(0.1, max=2),
            stop=stop_after_delay(_RECORD_PATIENCE_SECONDS),
            reraise=True,
        ):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    body = await self.kube.get_object(key)
                current = kind.parse(body)
                if intent is not None and kind.intent(current) != intent:
                    return kind.leave(current)
                decision = kind.record(look, current, answer)
                await self._save(key, body, current.status, self._announced(key, current, current.status, decision))
        return decision

    def _announced(self, key: Key, resource: AnyResource, old: AnyStatus, decision: AnyDecision) -> Any:
        """Return the decided status with all that is to be told of it: both are saved by the same write."""
        if self.outgoing is None:
            return decision.status
        happened = self.kinds[key.kind].announcements(resource, old, decision)
        return self.outgoing.announced(key, old, decision.status, happened, releasing=decision.release)

    async def _save(self, key: Key, body: Body, old: AnyStatus, new: AnyStatus) -> Body:
        # Against the parsed old status, not the stored one: fields of a newer version stay.
        patch = merge_patch(to_json(old), to_json(new)) if new != old else {}
        if not patch or patch == self._dropped.get(key):
            self._post_saved(key, body)
            return body
        saved = await self.kube.patch_status(body, patch)
        if version_of(saved) == version_of(body):
            self._dropped[key] = patch
        self.metrics.wrote("status")
        self._note(key, saved, was_known=True)
        self._tell(key, saved, old, new)
        self._post_saved(key, saved)
        self._wake_relatives(key)
        return saved

    def _post_saved(self, key: Key, saved: Body) -> None:
        """Hand over what is to be told outside, also after a restart what was saved before it."""
        if self.outgoing is not None:
            self.outgoing.post(key, saved)

    def _wake_relatives(self, key: Key) -> None:
        """Wake the others whose decisions depend on what this object says."""
        body = self.known.last(key)
        if body is None:
            return
        namespace, name = instance_of(key, body)
        if key.kind == UPGRADE_KIND and (instance := self.known.instance_named(namespace, name)) is not None:
            self.wake(Key.of(instance))
        for upgrade in self.known.upgrades_of(namespace, name):
            other = Key.of(upgrade)
            if other != key and not (upgrade.get("status") or {}).get("completedAt"):
                self.wake(other)

    def _tell(self, key: Key, body: Body, old: AnyStatus, new: AnyStatus) -> None:
        """Say it after it is saved: log, counters, Event."""
        before, after = old.condition("Ready"), new.condition("Ready")
        if after is not None and (before is None or before.reason != after.reason or old.phase != new.phase):
            _log.info(
                "transition",
                kind=key.kind,
                object=_name(key),
                phase=new.phase,
                ready=after.status,
                reason=after.reason,
                message=after.message,
            )
            self.metrics.transition(after.reason)
        kind = self.kinds[key.kind]
        kind.count(old, new)
        for item in (kind.news(old, new), self.outgoing.news(old, new) if self.outgoing is not None else None):
            if item is None or len(self._telling) >= _MOST_PENDING_EVENTS:
                continue
            task = asyncio.create_task(self._post(key, body, item))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _post(self, key: Key, body: Body, item: News) -> None:
        try:
            await self.kube.post_event(body, reason=item.reason, message=item.message, warning=item.warning)
            self.metrics.wrote("event")
        except KubeError as error:
            _log.warning("an Event could not be posted", object=_name(key), reason=item.reason, error=str(error))

    async def drain(self) -> None:
        """Wait for Events on their way."""
        await asyncio.gather(*self._telling, return_exceptions=True)


def to_json(status: AnyStatus) -> dict[str, Any]:
    """Return a status as Kubernetes stores it: no nulls, no empty parts."""
    document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in document.items() if value not in ({}, [], None)}


def _name(key: Key) -> str:
    return f"{key.namespace}/{key.name}"
