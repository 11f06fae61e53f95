"""One account at Hostwinds, action by action: asking, demanding, and looking before touching.

Called by `adapter` only. Everything is one POST to one address; which action is meant, and what its answer
means, is said here. A server is touched only after the provider has vouched for it: its id is valid, and
it is neither suspended nor locked.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from gpuinstance.api.reasons import Reason
from gpuinstance.core.access import Access
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.providers.answers import Call, unusable
from gpuinstance.providers.base import IncompleteListing, NotFound, Rejected, WrongState
from gpuinstance.providers.hostwinds.access import AccessAnswer
from gpuinstance.providers.hostwinds.catalogue import OrderAnswer
from gpuinstance.providers.hostwinds.envelope import confirm, content
from gpuinstance.providers.hostwinds.errors import HOSTWINDS
from gpuinstance.providers.hostwinds.wire import IdsAnswer, ListAnswer, ServerAnswer
from gpuinstance.providers.http_form import Fields, FormEdge
from gpuinstance.providers.lenient import Wire

Parsed = TypeVar("Parsed", bound=Wire)

_YES = (True, 1, "1", "true")
_NO = (False, 0, "0", "false")


class Account:
    """The actions of one account over its edge."""

    def __init__(self, edge: FormEdge) -> None:
        self._edge = edge

    async def ask(self, call: Call, action: str, **fields: str) -> object:
        """Return the content of a read, None for an empty answer; raises what its error items mean."""
        call = self._edge.veil(call)
        return content(await self._edge.read(call, {"action": action, **fields}), call)

    async def demand(self, call: Call, action: str, fields: Fields) -> None:
        """Send a change and return if it was accepted, which is not yet carried out."""
        call = self._edge.veil(call)
        confirm(await self._edge.change(call, {"action": action, **fields}), call)

    async def servers(self) -> tuple[Machine, ...]:
        """All servers, each once.

        Raises IncompleteListing where an entry cannot be read, comes twice or has no name anywhere: its
        absence under our name would mean nothing then.
        """
        call = Call("list servers")
        servers = _entries(ListAnswer, await self.ask(call, "get_instances")).servers
        if len({server.serviceid for server in servers}) < len(servers):
            raise IncompleteListing("Hostwinds' listing shows a server twice")
        names: dict[str, str | None] = {}
        if not all(server.srvrname for server in servers):
            ids = _entries(IdsAnswer, await self.ask(call, "get_instance_ids")).servers
            names = {entry.id: entry.srvrname for entry in ids}
        if any(server.srvrname is None and names.get(server.serviceid) is None for server in servers):
            raise IncompleteListing("Hostwinds' listing shows a server without its name")
        return tuple(server.to_machine(names.get(server.serviceid)) for server in servers)

    async def look(self, machine_id: str) -> Machine:
        """One server; NotFound only if both ways of asking for it deny it."""
        machine = await self._show(machine_id)
        if machine is not None:
            return machine
        if await self.is_valid(machine_id):
            raise unusable(Call("get server"), HOSTWINDS, f"server {machine_id} is valid, and is not shown")
        raise _denied(machine_id)

    async def access(self, machine_id: str) -> Access:
        """The ways into one server; raises NotFound as `look` does."""
        call = Call("get access", missing=Reason.INSTANCE_LOST)
        try:
            answer = await self.ask(call, "get_instance", serviceid=machine_id)
        except NotFound:
            answer = None
        if not answer:
            await self.look(machine_id)  # raises what it means that nothing is shown
            raise unusable(call, HOSTWINDS, f"server {machine_id} is shown, and was not a moment ago")
        server = parsed(AccessAnswer, answer, call)
        if server.serviceid != machine_id:
            raise unusable(call, HOSTWINDS, "the answer is about another server")
        return server.to_access()

    async def is_valid(self, machine_id: str) -> bool:
        """Whether the provider knows the id; raises where it does not clearly say so."""
        call = Call("check server", missing=Reason.INSTANCE_LOST)
        try:
            answer = await self.ask(call, "check_serviceid", serviceid=machine_id)
        except NotFound:
            return False
        if isinstance(answer, str):
            answer = answer.strip().lower()
        if answer not in _YES and answer not in _NO:
            raise unusable(call, HOSTWINDS, "neither yes nor no")
        return answer in _YES

    async def vouch(self, machine_id: str, verb: str) -> Machine:
        """Return a server that may be touched; raises NotFound, or Rejected for one that is suspended or locked."""
        if not await self.is_valid(machine_id):
            raise _denied(machine_id)
        machine = await self._show(machine_id)
        if machine is None:
            raise unusable(Call(verb), HOSTWINDS, f"server {machine_id} is valid, and is not shown")
        if machine.state is MachineState.SUSPENDED:
            raise Rejected(
                f"server {machine_id} is {machine.word}: {verb} was not sent; a suspended server is released by "
                "paying its open invoices, a locked one is unlocked by its owner in Hostwinds' portal",
                reason=Reason.INSTANCE_SUSPENDED,
            )
        return machine

    async def open_order(self, machine_id: str) -> OrderAnswer | None:
        """The open upgrade order. What comes where there is none is not documented: any no, or nothing, is None.

        A server that is not valid has no order either, but that is NotFound. Whatever shows neither an
        order nor its absence is raised.
        """
        call = Call("check upgrade order", missing=Reason.INSTANCE_LOST)
        try:
            answer = await self.ask(call, "check_upgrade_order", serviceid=machine_id)
        except NotFound:
            answer = None  # the text of an unknown id may be the answer to an unknown order, too
        except (Rejected, WrongState):
            return None
        if answer is None:
            if await self.is_valid(machine_id):
                return None
            raise _denied(machine_id)
        if isinstance(answer, list) and len(answer) == 1:
            (answer,) = answer
        if not answer:
            return None
        order = parsed(OrderAnswer, answer, call)
        if not order.exists:
            raise unusable(call, HOSTWINDS, "an order without a number")
        return order

    async def operate(
        self,
        verb: str,
        action: str,
        machine_id: str,
        fields: Fields | None = None,
        *,
        unless: frozenset[MachineState],
    ) -> None:
        """Send a change of a server that may be touched; raises WrongState for one in a state of `unless`.

        What Hostwinds says to an action that does not fit the state is not documented: so it is not asked.
        """
        machine = await self.vouch(machine_id, verb)
        if machine.state in unless:
            raise WrongState(f"server {machine_id} is {machine.word}: {verb} was not sent")
        call = Call(verb, changes=True, missing=Reason.INSTANCE_LOST)
        await self.demand(call, action, {"serviceid": machine_id, **(fields or {})})

    async def aclose(self) -> None:
        """Release connections."""
        await self._edge.aclose()

    async def _show(self, machine_id: str) -> Machine | None:
        """One server as it is shown; None where it is denied or nothing is shown."""
        call = Call("get server", missing=Reason.INSTANCE_LOST)
        try:
            answer = await self.ask(call, "get_instance", serviceid=machine_id)
        except NotFound:
            return None
        if not answer:
            return None
        server = parsed(ServerAnswer, answer, call)
        if server.serviceid != machine_id:
            raise unusable(call, HOSTWINDS, "the answer is about another server")
        return server.to_machine()


def parsed(model: type[Parsed], value: object, call: Call) -> Parsed:
    """Return the content of an answer as its model; raises Unavailable where it lacks what it must hold."""
    try:
        return model.model_validate(value)
    except ValidationError:
        raise unusable(call, HOSTWINDS, "the answer lacks what it should hold") from None


def _entries(model: type[Parsed], answer: object) -> Parsed:
    if not isinstance(answer, list):
        raise IncompleteListing("Hostwinds' listing is no list")
    try:
        return model.model_validate({"servers": answer})
    except ValidationError:
        raise IncompleteListing("Hostwinds' listing cannot be read") from None


def _denied(machine_id: str) -> NotFound:
    return NotFound(f"Hostwinds knows no server {machine_id}", reason=Reason.INSTANCE_LOST)
