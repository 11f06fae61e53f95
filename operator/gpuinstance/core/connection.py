"""What an instance publishes for pods in the cluster: a Secret, a Service, and where the Service leads.

Called by `kinds` and `publishing`, which does what is said here. Pure: names are not resolved, nothing is read.
A Service has the numbers and names of the spec's ports; behind it are the addresses at which the provider publishes
them, one EndpointSlice for each host and family, because the ports of a slice are those of all its addresses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from gpuinstance.api.connection import SECRET_SUFFIX
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.core.access import Access
from gpuinstance.core.desired import published_ports
from gpuinstance.core.model import MachineState
from gpuinstance.core.port_names import names_of_ports
from gpuinstance.core.snapshot import Blind, Snapshot

MANAGER = "gpu-instance-operator"
OCCASION = "gpuinstance.dev/published-for"
"""Annotation of the Secret: a digest of the public facts that it was made from. No part of it is secret."""

_SERVICE_OF_SLICE = "kubernetes.io/service-name"
_MANAGER_OF_SLICE = "endpointslice.kubernetes.io/managed-by"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_ADDRESSES = 16
"""Addresses of one host and family that a slice holds: names with more are those of content networks."""

_LONGEST_LABEL = 63

_KEPT = frozenset({MachineState.MIGRATING, MachineState.RESIZING, MachineState.RESIZED, MachineState.UNKNOWN})
"""States of which nobody knows whether the addresses still hold: what is published stays."""

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """One port of the Service, and where it leads."""

    name: str
    number: int
    """As in the spec."""
    protocol: str
    url: str
    host: str
    port: int
    """At the host."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be found in the cluster. Without names nothing is; without a machine nothing can be reached."""

    namespace: str
    name: str
    uid: str
    secret_name: str | None = None
    service_name: str | None = None
    machine_id: str | None = None
    """The machine that runs; None while none does."""
    ports: tuple[PublishedPort, ...] = ()
    occasion: str = ""
    """Changes with everything that may change what is published."""

    @property
    def owner(self) -> Manifest:
        """The owner reference of all that is published: the garbage collector removes it with the instance."""
        return {
            "apiVersion": "gpuinstance.dev/v1alpha1",
            "kind": "GPUInstance",
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object as it should be, as far as that is the operator's business."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    content: Mapping[str, Any] = field(repr=False)
    """Its fields beside the metadata. None says that a field must not be there."""


def wish_of(s: Snapshot, status: GPUInstanceStatus) -> Wish | None:
    """Return what should be published for an instance that was looked at, and was saved with this status.

    None where nothing is known that would change it: what is published stays.
    """
    metadata, spec = s.instance.metadata, s.spec
    wish = Wish(metadata.namespace, metadata.name, metadata.uid)
    if s.deleting:
        return None  # it goes with the object
    if spec.connection is None:
        return wish
    machine = s.machine
    if isinstance(s.view, Blind) or (machine is not None and machine.state in _KEPT):
        return None
    secret_name = spec.connection.secret_name or f"{metadata.name}{SECRET_SUFFIX}"
    service_name = spec.connection.service_name or metadata.name
    wish = replace(
        wish, secret_name=secret_name, service_name=service_name, occasion=_digest(secret_name, service_name)
    )
    has_addresses = status.endpoints is not None or not published_ports(status.applied)
    if machine is None or machine.state is not MachineState.RUNNING or not has_addresses:
        return wish
    ports = _ports(s, status)
    # Passwords change with each start, and with what else is done to a machine.
    done = status.last_operation.id if status.last_operation else None
    facts = [[p.name, p.number, p.url] for p in ports]
    occasion = _digest(wish.occasion, machine.id, machine.started_at, machine.host, done, facts)
    return replace(wish, machine_id=machine.id, ports=ports, occasion=occasion)


def public_data(wish: Wish) -> dict[str, str]:
    """Return what the Secret holds without asking the provider: the addresses of the ports."""
    endpoints = [{"name": p.name, "port": p.number, "protocol": p.protocol, "url": p.url} for p in wish.ports]
    data = {"endpoints": json.dumps(endpoints)}
    for port in wish.ports:
        data |= {f"{port.name}.url": port.url, f"{port.name}.host": port.host, f"{port.name}.port": str(port.port)}
    return data


def secret_data(wish: Wish, access: Access) -> dict[str, str]:
    """Return all that the Secret holds; keys of what is not known are absent."""
    data = public_data(wish)
    if access.ssh is not None:
        ssh = access.ssh
        data |= {"sshCommand": ssh.command, "sshHost": ssh.host, "sshPort": str(ssh.port), "sshUser": ssh.user}
    further = {"sshPassword": access.password, "jupyterURL": access.jupyter_url}
    return data | {key: value for key, value in further.items() if value}


def service(wish: Wish) -> Wanted:
    """Return the Service: without selector, so that nobody but us says where it leads."""
    assert wish.service_name is not None
    ports = [{"name": p.name, "port": p.number, "protocol": "TCP", "targetPort": p.port} for p in wish.ports]
    # Of its type is what translates port numbers; a headless one would give out addresses alone.
    spec = {"type": "ClusterIP", "ipFamilyPolicy": "PreferDualStack", "selector": None, "ports": ports}
    return Wanted(wish.service_name, labels(wish), {}, {"spec": spec})


def slice_name(service_name: str, host: str, family: str = "") -> str:
    """Return the name of the slice for a host; without `family`, what the names of both begin with."""
    return f"{service_name}-{_digest(host)[:10]}-{family}"


def slices(wish: Wish, addresses: Mapping[str, Sequence[IPv4Address | IPv6Address]]) -> tuple[Wanted, ...]:
    """Return the slices behind the Service, for the hosts whose addresses are known."""
    assert wish.service_name is not None
    found = []
    for host in sorted(addresses):
        ports = [{"name": p.name, "port": p.port, "protocol": "TCP"} for p in wish.ports if p.host == host]
        for family, kind in (("IPv4", IPv4Address), ("IPv6", IPv6Address)):
            texts = sorted(str(it) for it in addresses[host] if isinstance(it, kind))[:_MOST_ADDRESSES]
            if not texts or not ports:
                continue
            content = {
                "addressType": family,
                "ports": ports,
                "endpoints": [{"addresses": [text], "conditions": {"ready": True}} for text in texts],
            }
            name = slice_name(wish.service_name, host, family.lower())
            own = {_SERVICE_OF_SLICE: wish.service_name, _MANAGER_OF_SLICE: MANAGER}
            found.append(Wanted(name, {**labels(wish), **own}, {}, content))
    return tuple(found)


def selector_of_slices(service_name: str) -> str:
    """Return the label selector for the slices of a Service that are of our making."""
    return f"{_SERVICE_OF_SLICE}={service_name},{_MANAGER_OF_SLICE}={MANAGER}"


def labels(wish: Wish) -> dict[str, str]:
    """Return what everything that is published carries, for people who look for it."""
    # The value of a label is shorter than a name may be.
    named = {"gpuinstance.dev/instance": wish.name} if len(wish.name) <= _LONGEST_LABEL else {}
    return {"app.kubernetes.io/managed-by": MANAGER, **named}


def _ports(s: Snapshot, status: GPUInstanceStatus) -> tuple[PublishedPort, ...]:
    endpoints = status.endpoints or []
    given = {p.port: p.name for p in s.spec.ports or () if p.name}
    names = names_of_ports([(e.port, e.protocol) for e in endpoints], given)
    found = []
    for endpoint in endpoints:
        place = _place(endpoint.url)
        if place is not None:
            host, port = place
            name = names[endpoint.port]
            found.append(PublishedPort(name, endpoint.port, endpoint.protocol, endpoint.url, host, port))
    return tuple(found)


def _place(url: str) -> tuple[str, int] | None:
    """Return host and port of an endpoint; None for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def hosts(ports: Iterable[PublishedPort]) -> dict[str, int]:
    """Return the hosts of the ports, each with one of its ports."""
    return {port.host: port.port for port in ports}


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
