"""The life of a machine as a table: which operation is allowed where, and what it passes through.

The types are neutral; each provider's face brings its own words (`novita.lifecycle`). The cloud
only walks the table: it never compares a state with a literal word. Adding a provider means adding
a table, not a branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Operation(StrEnum):
    """Everything that can be asked of the cloud: names for the ledger, faults and call counts."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    DELETE = "delete"
    EDIT = "edit"
    UPGRADE = "upgrade"
    MIGRATE = "migrate"

    LIST = "list"
    GET = "get"
    PRODUCTS = "products"
    CLUSTERS = "clusters"
    TEMPLATE = "template"
    TEMPLATES = "templates"
    REGISTRY_AUTHS = "registry_auths"
    NETWORK_STORAGES = "network_storages"

    CHECK = "check"
    """Whether the provider knows a machine."""
    IDS = "ids"
    """A listing of ids and names only."""
    ADDRESSES = "addresses"
    MAINTENANCE = "maintenance"
    RECREATE = "recreate"
    """Delete and provision again, under the same id."""
    REINSTALL = "reinstall"
    REGENERATE = "regenerate"
    """Make the networking of a machine anew."""
    TOGGLE_LOCK = "toggle_lock"

    CYCLE_PRICES = "cycle_prices"
    CHANGE_CYCLE = "change_cycle"
    CHECK_ORDER = "check_order"
    CHECK_REBOOT = "check_reboot"
    ORDER = "order"
    """An upgrade is ordered: an invoice comes of it, and nothing else."""
    CANCEL_ORDER = "cancel_order"
    PAY = "pay"
    """Money changes hands for an invoice."""
    APPLY = "apply"
    """A paid upgrade is carried out."""
    CONFIRM = "confirm"
    REVERT = "revert"
    UNKNOWN = "unknown"
    """A call that the provider does not know."""

    RENAME = "rename"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    EXIT = "exit"
    RECLAIM = "reclaim"
    FAIL = "fail"


class Actor(StrEnum):
    """Who changed the world."""

    API = "api"
    """A call with an API key: the client under test."""
    CONSOLE = "console"
    """A person in the provider's web console: foreign interference."""
    PROVIDER = "provider"
    """The provider itself: a reclaimed spot machine, a failed creation."""


@dataclass(frozen=True, slots=True)
class State:
    """One word of a provider for what a machine is doing."""

    word: str
    seconds: float | None = None
    """Virtual seconds until the next state; None: it stays until something is asked of it."""
    up: bool | None = False
    """The container runs, so that the applications in it can answer; None: as in the state before."""
    billed: bool = False
    """The GPUs are charged."""
    holds_gpus: bool = False
    """The GPUs cannot be sold to anybody else."""
    removal: bool = False
    """Deletion was accepted."""


GONE = "(gone)"
"""The pseudo-state after the last visible one: the provider no longer knows the machine."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What an operation needs and where it leads."""

    through: tuple[str, ...]
    """States passed on the way, each for its own time."""
    ends: str | None
    """The last state; None: back to where the operation found the machine."""
    allowed: frozenset[str] | None = None
    """States in which it is accepted; None: any in which no deletion is under way."""


class NotAllowedError(Exception):
    """The machine is in a state that does not allow the operation."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A provider's states and transitions. `Operation.CREATE` has a transition like any other."""

    states: Mapping[str, State]
    transitions: Mapping[Operation, Transition]
    up: str
    """Where a machine is used."""
    down: str
    """Where a machine is kept without running."""

    def path(self, operation: Operation, current: str | None) -> tuple[str, ...]:
        """The states that `operation` leads through from `current` (None: not yet created).

        Raises NotAllowedError where the table does not allow it.
        """
        transition = self.transitions.get(operation)
        if transition is None:
            raise NotAllowedError(f"{operation} does not exist at this provider")
        if current is None:
            return (*transition.through, transition.ends or self.up)
        allowed = transition.allowed
        refused = self.states[current].removal if allowed is None else current not in allowed
        if refused:
            raise NotAllowedError(f"{operation} is not allowed while {current}")
        return (*transition.through, transition.ends or current)

    def with_seconds(self, changes: Mapping[str, float]) -> Lifecycle:
        """The same table with other durations, by state word. Raises KeyError for unknown words."""
        states = dict(self.states)
        for word, seconds in changes.items():
            states[word] = replace(states[word], seconds=seconds)
        return replace(self, states=states)


def table(states: Iterable[State]) -> dict[str, State]:
    """Index states by their word."""
    return {state.word: state for state in states}
