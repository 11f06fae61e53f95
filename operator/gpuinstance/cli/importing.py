"""Manifests for machines that exist already, from what their provider shows of them. Pure.

Called by `kubectl gpu import`. Each is one that the API server accepts and that changes nothing: the machine is
adopted and only observed. What the provider does not show and the API wants is a placeholder with a comment, and
what it does not show and a spec may hold is a comment alone. A provider's text gets in quotes wherever it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from gpuinstance.api.v1alpha1 import GROUP, KIND, VERSION
from gpuinstance.api.words import BillingMode, PowerState, ProviderName
from gpuinstance.cli.inventory_rows import Row, Verdict, reference
from gpuinstance.cli.screen import printable
from gpuinstance.core.model import Machine, MachineState

FILL_IN = "fill-in"
"""Stands where only a person knows what belongs there."""

_RESERVED = range(2222, 2225)
_MOST_PORTS, _LONGEST_NAME, _LONGEST_TEXT, _LONGEST_IMAGE = 15, 63, 255, 500
_GPUS, _DISK_GB = range(1, 9), range(10, 1001)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")

_LEFT_OUT = {
    Verdict.OTHER_CLUSTER: "its name carries the mark of another cluster, whose it is",
    Verdict.RESOURCE_NOT_SEEN: "its name carries this cluster's mark, and you may not see all GPUInstances",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the object is to be."""

    namespace: str
    name: str


def refusal(row: Row) -> str | None:
    """Return why a machine is not for import, None if it is."""
    if row.instance is not None:
        return f"it belongs to GPUInstance {reference(row.instance)}"
    if row.verdict is Verdict.SURPLUS:
        return f"its name is that of a machine of GPUInstance {row.of}"
    if row.machine is not None and row.machine.state is MachineState.REMOVING:
        return "it is being deleted at the provider"
    return _LEFT_OUT.get(row.verdict)


def name_for(machine: Machine, provider: str, taken: Collection[str]) -> str:
    """Return a name for the object: like the machine's, fit for Kubernetes, and not taken."""
    usual = _NOT_IN_NAMES.sub("-", machine.name.lower()).strip("-")
    usual = usual or _NOT_IN_NAMES.sub("-", f"{provider}-{machine.id}".lower()).strip("-")
    usual, number = usual[:_LONGEST_NAME].rstrip("-"), 1
    name = usual
    while name in taken:
        number += 1
        name = f"{usual[: _LONGEST_NAME - 1 - len(str(number))].rstrip('-')}-{number}"
    return name


def manifest(row: Row, to: Destination, now: datetime) -> str:
    """Return the text of one document. Raises AssertionError for a row without a machine."""
    machine = row.machine
    assert machine is not None
    described = (
        f"Machine {machine.id} ({machine.name}) at {row.provider}: {machine.word}, listed at {now:%Y-%m-%dT%H:%M:%SZ}"
    )
    lines = [
        f"# {printable(described)}.",
        "# It is only observed: nothing is changed before its management is Full.",
        f"apiVersion: {GROUP}/{VERSION}",
        f"kind: {KIND}",
        "metadata:",
        f"  name: {_quoted(to.name)}",
        f"  namespace: {_quoted(to.namespace)}",
        "spec:",
        f"  provider: {row.provider}",
        *_credentials(row, to),
        "  adopt:",
        f"    instanceID: {_quoted(machine.id)}",
        "  management: Observe",
        f"  powerState: {PowerState.STOPPED if machine.state is MachineState.STOPPED else PowerState.RUNNING}",
        *_product(machine),
        *(_of_hostwinds(machine) if row.provider == ProviderName.HOSTWINDS else _of_novita(machine)),
    ]
    return "\n".join(lines) + "\n"


def _credentials(row: Row, to: Destination) -> Iterator[str]:
    """The Secret, where it is in the object's namespace and not the usual one."""
    names = [place.partition("/")[2] for place in row.secrets if place.startswith(f"{to.namespace}/")]
    usual = f"{row.provider}-credentials"
    if not names:
        place = row.secrets[0] if row.secrets else "another namespace"
        yield f"  # The API key is in Secret {place}. This namespace needs it, too, if the operator does"
        yield f"  # not share it. Fill in, if the Secret is not to be called {usual}:"
        yield "  # credentialsRef:"
        yield f"  #   name: {FILL_IN}"
    elif usual not in names:
        yield "  credentialsRef:"
        yield f"    name: {_quoted(names[0])}"


def _product(machine: Machine) -> Iterator[str]:
    yield "  product:"
    product_id, name = _fitting(machine.product_id), _fitting(machine.product_name)
    remark = f"  # {printable(name)}" if name else ""
    if product_id:
        yield f"    id: {_quoted(product_id)}{remark}"
    elif name:
        yield f"    name: {_quoted(name)}"
    else:
        yield f"    name: {FILL_IN}  # fill in: the provider does not show the product"


def _of_novita(machine: Machine) -> Iterator[str]:
    if machine.gpu_count in _GPUS:
        yield f"  gpuCount: {machine.gpu_count}"
    else:
        yield f"  # gpuCount: 1  # fill in: the provider shows {machine.gpu_count}"
    if region := _fitting(machine.region):
        yield "  regions:"
        yield f"    - {_quoted(region)}"
    if machine.rootfs_gb in _DISK_GB:
        yield f"  rootfsSizeGB: {machine.rootfs_gb}"
    else:
        yield f"  # rootfsSizeGB: 60  # fill in: the provider shows {machine.rootfs_gb}"
    if machine.image and len(machine.image) <= _LONGEST_IMAGE:
        yield f"  image: {_quoted(machine.image)}"
    else:
        yield f"  image: {FILL_IN}  # fill in: the provider does not show the image"
    yield from _ports(machine)
    yield from _billing(machine)
    yield "  # Not shown by the provider. Fill in what the machine was bought with, before its management is Full:"
    yield from (f"  # {field}" for field in ("command: ...", "entrypoint: ...", "env: []", "networkVolumes: []"))


def _of_hostwinds(machine: Machine) -> Iterator[str]:
    shown = f"; it is shown as {printable(machine.image)}" if machine.image else ""
    yield f"  templateID: {FILL_IN}  # fill in: the id of the template, which the API does not list{shown}"
    yield "  hostwinds:"
    if machine.region.isdecimal() and int(machine.region) > 0:
        yield f"    locationID: {int(machine.region)}"
    else:
        yield "    locationID: 1  # fill in: the provider does not show the place"
    yield "    billingCycle: Monthly  # fill in: the provider does not show the cycle"
    yield "  # Fill in what is to be checked and published; every port is reached at the server's address:"
    yield from ("  # ports:", "  #   - port: 80")


def _ports(machine: Machine) -> Iterator[str]:
    kept = {it.number: it for it in machine.ports if it.number not in _RESERVED}
    if not kept:
        yield "  # ports: []  # fill in: the provider shows none; a spec without ports asks for none"
        return
    yield "  ports:"
    for port in list(kept.values())[:_MOST_PORTS]:
        yield f"    - port: {port.number}"
        yield f"      protocol: {port.protocol}"
    for port in list(kept.values())[_MOST_PORTS:]:
        yield f"    # {port.number}/{port.protocol} is published as well, beyond the {_MOST_PORTS} that a spec may hold"


def _billing(machine: Machine) -> Iterator[str]:
    if machine.billing_mode is None:
        yield "  # billing: {mode: OnDemand}  # fill in: the provider does not show the billing mode"
        return
    yield "  billing:"
    yield f"    mode: {machine.billing_mode}"
    if machine.billing_mode is BillingMode.MONTHLY:
        yield "    months: 1  # fill in: the provider does not show the term"


def _fitting(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else ""


def _quoted(text: str) -> str:
    """Return a scalar of YAML that is this text, whatever is in it: JSON's strings are YAML's."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
