"""What a row of the comprehensive listing is: a resource, a machine, or both, and whether they fit together.

Data for `inventory`, which makes rows, and for the rooms that show them or write manifests of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gpuinstance.cli.fields import Object, text_at
from gpuinstance.cli.inventory_differences import Difference
from gpuinstance.core.model import Machine


class Source(StrEnum):
    """Who knows about a row."""

    BOTH = "both"
    RESOURCE = "resource"
    PROVIDER = "provider"


class Verdict(StrEnum):
    """Whether what is known fits together."""

    CONSISTENT = "consistent"
    DIFFERS = "differs"
    MISSING = "missing at provider"
    """The resource has a machine, and its account does not list it."""
    NO_MACHINE = "no machine"
    """Neither side knows one: nothing was bought, or it is gone."""
    NOT_COMPARED = "not compared"
    """The account of the resource could not be read."""
    SURPLUS = "second machine"
    """It carries the name of a resource that has another one: a replacement under way, or what one has left."""
    WITHOUT_RESOURCE = "without resource"
    """It carries this cluster's mark, and no GPUInstance of the cluster is its own."""
    RESOURCE_NOT_SEEN = "resource not seen"
    """The same, but not all GPUInstances of the cluster may be seen."""
    OTHER_CLUSTER = "another cluster's"
    FOREIGN = "foreign"
    """Bought by a person or another program."""


@dataclass(frozen=True, slots=True)
class Account:
    """What was learned from one API key."""

    provider: str
    secrets: tuple[str, ...]
    """The Secrets that hold the key, as `namespace/name`."""
    machines: tuple[Machine, ...] | None
    """None where the provider could not be asked."""
    extra: bool = False
    """True for a key that the user has named: resources without a Secret of their own may use it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One resource, one machine, or both."""

    provider: str
    verdict: Verdict
    instance: Object | None = None
    machine: Machine | None = None
    differences: tuple[Difference, ...] = ()
    secrets: tuple[str, ...] = ()
    """Where the key is by which the machine was seen."""
    of: str = ""
    """The resource that a second machine is named after, as `namespace/name`."""

    @property
    def source(self) -> Source:
        """Who knows about it."""
        if self.instance is None:
            return Source.PROVIDER
        return Source.RESOURCE if self.machine is None else Source.BOTH

    @property
    def consistency(self) -> str:
        """The verdict in words, with the fields that differ."""
        if self.verdict is Verdict.DIFFERS:
            return f"{self.verdict}: {', '.join(it.field for it in self.differences)}"
        return f"{self.verdict} of {self.of}" if self.verdict is Verdict.SURPLUS else str(self.verdict)


def secret_of(instance: Object) -> tuple[str, str]:
    """Return namespace and name of the Secret that a resource takes its key from, defaults included."""
    name = text_at(instance, "spec", "credentialsRef", "name") or f"{text_at(instance, 'spec', 'provider')}-credentials"
    return text_at(instance, "metadata", "namespace"), name


def reference(instance: Object) -> str:
    """Return `namespace/name`."""
    return f"{text_at(instance, 'metadata', 'namespace')}/{text_at(instance, 'metadata', 'name')}"
