"""Second machines of one object, as they come to light: the number that has to be zero, for a gauge and a counter.

Told by `observing` at each look; asked by the metrics. Nothing is decided by it: the rules remove such machines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gpuinstance.core.model import Machine, MachineState


@dataclass(slots=True)
class Surplus:
    """The machines beyond one of each object, as last seen. `seen` hears, once for each, of the provider."""

    seen: Callable[[str], None] = lambda _: None
    _by_object: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    """By uid: the provider, and the ids of the machines beyond the first."""

    def note(self, uid: str, provider: str, machines: Sequence[Machine]) -> None:
        """A listing shows these machines of an object. Those on their way out are none too many."""
        standing = [it.id for it in machines if not it.state.is_gone and it.state is not MachineState.REMOVING]
        _, before = self._by_object.pop(uid, (provider, frozenset[str]()))
        if len(standing) < 2:  # noqa: PLR2004 - one is as it should be
            return
        beyond = frozenset(standing[1:])
        self._by_object[uid] = provider, beyond
        for _ in range(len(beyond) - len(before)):
            self.seen(provider)

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._by_object.pop(uid, None)

    def by_provider(self, providers: Sequence[str]) -> Mapping[str, float]:
        """Return how many machines there are too many; each of `providers` is there, also at zero."""
        counts: defaultdict[str, float] = defaultdict(float, dict.fromkeys(providers, 0.0))
        for provider, machines in self._by_object.values():
            counts[provider] += len(machines)
        return counts
