"""The addresses behind the hosts at which ports are published, judged before a Service may lead there.

Called by `publisher`. A Service that leads to an address inside of the cluster's network would be a hole through
every NetworkPolicy that allows the Service, so the guard's rules for connections of our own hold here, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from gpuinstance.guard import Guard, NameNotResolved, TargetNotAllowed


@dataclass(frozen=True, slots=True)
class Places:
    """What was found."""

    addresses: Mapping[str, tuple[IPv4Address | IPv6Address, ...]]
    refused: Mapping[str, str]
    """Hosts to which nothing may lead, and why."""
    unknown: tuple[str, ...]
    """Hosts that could not be resolved now: what was known of them may still hold."""


async def find_places(guard: Guard, hosts: Mapping[str, int]) -> Places:
    """Resolve all hosts at once, each given with one of its ports. Raises nothing."""
    addresses: dict[str, tuple[IPv4Address | IPv6Address, ...]] = {}
    refused: dict[str, str] = {}
    unknown: list[str] = []

    async def look(host: str, port: int) -> None:
        try:
            addresses[host] = await guard.addresses(host, port)
        except TargetNotAllowed as error:
            refused[host] = str(error)
        except NameNotResolved:
            unknown.append(host)

    await asyncio.gather(*(look(host, port) for host, port in hosts.items()))
    return Places(addresses, refused, tuple(sorted(unknown)))
