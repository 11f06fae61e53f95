"""Novita's words for the life of a machine, and the durations that this simulator gives them.

The words and their meanings are documented (page "get instance"); which call is allowed where, the
order of the words and all durations are not, and are assumptions consistent with what public
clients saw: a call in the wrong state is answered with `invalid state change`, a deletion passes
`toRemove`, `removing`, `removed`, and a new machine passes `toCreate`, `creating`, `pulling`.
GPUs are charged from `pulling` on until the machine has stopped (pricing guide).
"""

from __future__ import annotations

from gpuinstance_simulator.lifecycle import GONE, Lifecycle, Operation, State, Transition, table

_STATES = (
    State("toCreate", 2, holds_gpus=True),
    State("creating", 5, holds_gpus=True),
    State("pulling", 30, holds_gpus=True, billed=True),
    State("running", up=True, holds_gpus=True, billed=True),
    State("toStart", 1, holds_gpus=True),
    State("starting", 10, holds_gpus=True),
    State("toStop", 1, up=True, holds_gpus=True, billed=True),
    State("stopping", 5, holds_gpus=True, billed=True),
    State("exited"),
    State("toRestart", 1, up=True, holds_gpus=True, billed=True),
    State("restarting", 10, holds_gpus=True, billed=True),
    State("toReset", 1, holds_gpus=True, billed=True),
    State("resetting", 20, holds_gpus=True, billed=True),
    State("migrating", 60, holds_gpus=True),
    State("freezing"),
    State("toRemove", 1, removal=True),
    State("removing", 5, removal=True),
    State("removed", 5, removal=True),
)

_RUNNING = frozenset({"running"})
_EXITED = frozenset({"exited"})
_SETTLED = _RUNNING | _EXITED

LIFECYCLE = Lifecycle(
    states=table(_STATES),
    transitions={
        Operation.CREATE: Transition(("toCreate", "creating", "pulling"), "running"),
        Operation.START: Transition(("toStart", "starting"), "running", _EXITED),
        Operation.STOP: Transition(("toStop", "stopping"), "exited", _RUNNING),
        Operation.RESTART: Transition(("toRestart", "restarting"), "running", _RUNNING),
        Operation.UPGRADE: Transition(("toReset", "resetting"), "running", _SETTLED),
        Operation.MIGRATE: Transition(("migrating",), None, _SETTLED),
        Operation.EDIT: Transition((), None, _SETTLED),
        Operation.DELETE: Transition(("toRemove", "removing", "removed"), GONE, None),
        Operation.EXIT: Transition((), "exited", _RUNNING),
        Operation.RECLAIM: Transition((), "exited", _RUNNING),
        Operation.FREEZE: Transition((), "freezing", _SETTLED),
        Operation.UNFREEZE: Transition((), "exited", frozenset({"freezing"})),
    },
    up="running",
    down="exited",
)
"""The table that the cloud walks for this provider."""
