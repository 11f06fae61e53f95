"""Rules about where a running machine is reached: learned once, forgotten when it may be elsewhere.

A provider publishes each port somewhere, which is asked for; or the machine has an address of its own, and
every port is reached there. What may be somebody else's address by now is never asked whether it serves.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Endpoint, InstanceStatus
from gpuinstance.api.words import Phase, PortProtocol
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.desired import parse_ports, published_ports
from gpuinstance.core.model import Machine, Port
from gpuinstance.core.rules.answers import need, wait
from gpuinstance.core.rules.health import WAITING, began_serving, give_up_waiting, is_up
from gpuinstance.core.snapshot import Snapshot

_HTTPS = 443
"""An http port that speaks TLS, by the number that is assigned to it."""


def learn_addresses(s: Snapshot) -> Decision | None:
    """A running machine's ports are reached somewhere: find out where, once, and anew when that has changed."""
    machine, recorded = s.machine, s.status.instance
    if machine is None or recorded is None or not is_up(s) or not published_ports(s.status.applied):
        return None
    wanted = parse_ports(published_ports(s.status.applied) or "")
    shown = s.addresses if s.limits.publishes_ports else _at_host(machine, wanted)
    if s.status.endpoints:  # none at all is what nobody has learned: a status keeps no empty parts
        return _forget_addresses(s, machine, recorded, s.status.endpoints)
    if shown is None:
        return need(s, Need.ADDRESSES)
    endpoints = [_endpoint(port) for port in shown if port.address]
    began = began_serving(s)
    if {port.number for port in wanted} - {e.port for e in endpoints}:
        what = "published its ports" if s.limits.publishes_ports else "given it an address"
        message = f"the machine runs; the provider has not {what} yet"
        return give_up_waiting(s, message, began) or wait(s, Phase.RUNNING, Reason.STARTING, message, **began)
    return wait(
        s,
        Phase.HEALTH_CHECKING,
        Reason.HEALTH_CHECKING,
        WAITING,
        after=timedelta(),
        endpoints=endpoints,
        instance=recorded.model_copy(update={"started_at": _to_the_second(machine.started_at)}),
        **began,
    )


def _at_host(machine: Machine, ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """Return the ports of a machine with an address of its own, reached there; none while it has no address."""
    if not machine.host:
        return ()
    host = f"[{machine.host}]" if ":" in machine.host else machine.host
    return tuple(replace(port, address=f"{_scheme(port)}://{host}:{port.number}") for port in ports)


def _scheme(port: Port) -> str:
    if port.protocol is PortProtocol.HTTP and port.number == _HTTPS:
        return "https"
    return port.protocol


def _endpoint(port: Port) -> Endpoint:
    address = port.address or ""
    url = address if "://" in address else f"{port.protocol}://{address}"
    return Endpoint(port=port.number, protocol=port.protocol, url=url)


def _forget_addresses(
    s: Snapshot, machine: Machine, recorded: InstanceStatus, endpoints: list[Endpoint]
) -> Decision | None:
    """Where the addresses may be others now: the application has to answer anew."""
    if _came_up_anew(recorded, machine):
        message = "the machine was started again: looking where its ports are reached now"
    elif not s.limits.publishes_ports and _has_moved(machine, endpoints):
        message = f"the machine is at {machine.host} now: its application has to answer there"
    else:
        return None
    changes = {"endpoints": None, "health_check": None}
    return wait(s, Phase.RUNNING, Reason.STARTING, message, after=timedelta(), **changes)


def _came_up_anew(recorded: InstanceStatus, machine: Machine) -> bool:
    """True if the machine was started again, seen or unseen, since its addresses were learned."""
    before, now = recorded.started_at, _to_the_second(machine.started_at)
    return before is not None and now is not None and now > before


def _has_moved(machine: Machine, endpoints: list[Endpoint]) -> bool:
    """True if the machine has an address, and an endpoint is elsewhere. No address says nothing."""
    ports = tuple(Port(endpoint.port, endpoint.protocol) for endpoint in endpoints)
    return bool(machine.host) and [_endpoint(port) for port in _at_host(machine, ports)] != endpoints


def _to_the_second(moment: datetime | None) -> datetime | None:
    return moment.replace(microsecond=0) if moment is not None else None
