"""What goes wrong in one life, and when; and the record of all its boundaries.

Every call of the operator is shown here, in the order in which the calls are made. Nothing is random, so that
a failing life replays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.boundaries import Boundary, Class
from tests.faults.troubles import Kill, Point, Trouble


@dataclass(slots=True)
class Fate:
    """The one trouble that is to come, if any."""

    where: Boundary | None = None
    trouble: Trouble | None = None
    armed: bool = False
    """Calls count from the moment that this is set."""
    trail: list[Boundary] = field(default_factory=list)
    """All boundaries that were met."""
    struck: bool = False
    die: Callable[[], None] = lambda: None
    """Ends the operator's process; set by the world."""
    _recording: bool = True
    _met: Counter[str] = field(default_factory=Counter)
    _dying: Point | None = None
    """A death that waits for the next call."""

    def meet(self, call: str) -> Trouble | None:
        """A call is about to be made: what happens to it. The process may be dead afterwards."""
        if not self.armed:
            return None
        self._met[call] += 1
        boundary = Boundary(call, self._met[call])
        if self._recording:
            self.trail.append(boundary)
        self._die_late(boundary.kind)
        if boundary != self.where:
            return None
        self.struck = True
        if self.trouble is not None and isinstance(self.trouble.does, Kill):
            self._prepare(self.trouble.does.point)
        return self.trouble

    def close_book(self) -> None:
        """What comes now is rest, and no boundary of the life."""
        self._recording = False

    def fulfil(self) -> bool:
        """Nothing is called any more: whoever was to die at the next call dies now. Says whether somebody did."""
        due, self._dying = self._dying is Point.AFTER_ANSWER, None
        if due:
            self.die()
        return due

    def _prepare(self, point: Point) -> None:
        if point is Point.BEFORE_SEND:
            self.die()
        elif point in {Point.AFTER_ANSWER, Point.BEFORE_NEXT_WRITE}:
            self._dying = point

    def _die_late(self, kind: Class) -> None:
        if self._dying is Point.AFTER_ANSWER or (self._dying is Point.BEFORE_NEXT_WRITE and kind.is_write):
            self._dying = None
            self.die()
