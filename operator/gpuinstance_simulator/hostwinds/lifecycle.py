"""The life of a Hostwinds server: a table of states, and how each looks on the wire.

Hostwinds shows four fields where the cloud knows one state: `status`, `vm_state`, `task_state` and
`power_state`, with the names and values of OpenStack Nova, which are an inference, not documented. Documented
are `active`, `suspended`, `error` and `RESIZED`, in this case. Durations are assumptions.

Asynchronous calls are queued before they are done: a server first stays for a while in `queued` and looks
as it did before. So does one that is being deleted, but for its task.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gpuinstance_simulator.lifecycle import GONE, Lifecycle, Operation, State, Transition, table

ACTIVE, SHUTOFF, RESIZED, SUSPENDED, ERROR = "active", "shutoff", "resized", "suspended", "error"
QUEUED, DELETING = "queued", "deleting"
LOOK_AS_BEFORE = frozenset({QUEUED, DELETING})

_RUNNING, _SHUTDOWN = 1, 4
"""Values of `power_state`; 0 means that there is none."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the provider shows of a state."""

    status: str
    vm_state: str
    task_state: str | None = None
    power_state: int = _RUNNING


LOOKS = {
    "scheduling": Look("BUILD", "building", "scheduling", 0),
    "networking": Look("BUILD", "building", "networking", 0),
    "spawning": Look("BUILD", "building", "spawning", 0),
    ACTIVE: Look("active", "active"),
    "powering_off": Look("active", "active", "powering-off"),
    SHUTOFF: Look("SHUTOFF", "stopped", None, _SHUTDOWN),
    "powering_on": Look("SHUTOFF", "stopped", "powering-on", _SHUTDOWN),
    "rebooting": Look("active", "active", "rebooting"),
    "rebuilding": Look("REBUILD", "active", "rebuilding"),
    "rebuild_spawning": Look("REBUILD", "active", "rebuild_spawning"),
    "renetworking": Look("active", "active", "networking"),
    "resize_prep": Look("RESIZE", "active", "resize_prep"),
    "resize_migrating": Look("RESIZE", "active", "resize_migrating"),
    "resize_finish": Look("RESIZE", "active", "resize_finish"),
    RESIZED: Look("RESIZED", "resized"),
    "resize_confirming": Look("RESIZED", "resized", "resize_confirming"),
    "resize_reverting": Look("REVERT_RESIZE", "resized", "resize_reverting"),
    SUSPENDED: Look("suspended", "suspended", None, _SHUTDOWN),
    ERROR: Look("error", "error", None, 0),
}

_STATES = (
    State("scheduling", 2),
    State("networking", 3, billed=True),
    State("spawning", 25, billed=True),
    State(ACTIVE, up=True, billed=True),
    State("powering_off", 5, up=True, billed=True),
    State(SHUTOFF, billed=True),
    State("powering_on", 5, billed=True),
    State("rebooting", 10, billed=True),
    State("rebuilding", 10, billed=True),
    State("rebuild_spawning", 15, billed=True),
    State("renetworking", 5, up=True, billed=True),
    State("resize_prep", 5, billed=True),
    State("resize_migrating", 20, billed=True),
    State("resize_finish", 5, billed=True),
    State(RESIZED, up=True, billed=True),
    State("resize_confirming", 5, up=True, billed=True),
    State("resize_reverting", 15, billed=True),
    State(SUSPENDED, billed=True),
    State(ERROR, billed=True),
    # How long a call is queued is a quirk, so that it can be changed while the simulator serves.
    State(QUEUED, up=None, billed=True),
    State(DELETING, 5, up=None, removal=True),
)

_SETTLED = frozenset({ACTIVE, SHUTOFF})
_REPAIRABLE = _SETTLED | {ERROR}

LIFECYCLE = Lifecycle(
    states=table(_STATES),
    transitions={
        Operation.CREATE: Transition(("scheduling", "networking", "spawning"), ACTIVE),
        Operation.START: Transition(("powering_on",), ACTIVE, frozenset({SHUTOFF})),
        Operation.STOP: Transition(("powering_off",), SHUTOFF, frozenset({ACTIVE})),
        Operation.RESTART: Transition(("rebooting",), ACTIVE, frozenset({ACTIVE})),
        Operation.RECREATE: Transition((QUEUED, "rebuilding", "rebuild_spawning"), ACTIVE, _REPAIRABLE),
        Operation.REINSTALL: Transition((QUEUED, "rebuilding", "rebuild_spawning"), ACTIVE, _REPAIRABLE),
        Operation.REGENERATE: Transition((QUEUED, "renetworking", "rebooting"), ACTIVE, frozenset({ACTIVE})),
        Operation.APPLY: Transition((QUEUED, "resize_prep", "resize_migrating", "resize_finish"), RESIZED, _SETTLED),
        Operation.CONFIRM: Transition(("resize_confirming",), ACTIVE, frozenset({RESIZED})),
        Operation.REVERT: Transition(("resize_reverting",), ACTIVE, frozenset({RESIZED})),
        Operation.DELETE: Transition((DELETING,), GONE, None),
        Operation.EXIT: Transition((), SHUTOFF, frozenset({ACTIVE})),
        Operation.FAIL: Transition((), ERROR, None),
        Operation.FREEZE: Transition((), SUSPENDED, _SETTLED | {RESIZED}),
        # Back to where the suspension found it: see `HostwindsCloud`.
        Operation.UNFREEZE: Transition((), ACTIVE, frozenset({SUSPENDED})),
    },
    up=ACTIVE,
    down=SHUTOFF,
)
"""The table that the cloud walks for this provider."""


def look_of(word: str, before: str) -> Look:
    """How the state `word` looks, entered from `before`; a strange word is shown as it is."""
    if word not in LOOK_AS_BEFORE:
        return LOOKS.get(word, Look(word, word))
    look = LOOKS.get(before, LOOKS[ACTIVE])
    return replace(look, task_state=DELETING) if word == DELETING else look
