"""What a gate does to the watches that pass it: lines of events, passed on as they are unless told otherwise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

_GONE = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version",
        "reason": "Expired",
        "code": 410,
    },
}


@dataclass(slots=True)
class Watches:
    """How watches are treated from now on."""

    is_hole: bool = False
    """Nothing comes through any more, and the connections stay open."""
    delay: float = 0.0
    """Seconds that each event is late."""
    lose: int = 0
    """So many events are lost."""
    expire: bool = False
    """The next event is an error 410 instead, once for each watch."""

    expired: set[str] = field(default_factory=set)
    """Paths of the watches that got that error."""

    async def pass_on(self, path: str, line: bytes) -> Sequence[bytes]:
        """Return what of a line reaches the operator."""
        if self.is_hole:
            return ()
        if self.lose > 0 and b'"BOOKMARK"' not in line:
            self.lose -= 1
            return ()
        if self.expire and path not in self.expired:
            self.expired.add(path)
            return (json.dumps(_GONE).encode() + b"\n",)
        if self.delay:
            await asyncio.sleep(self.delay)
        return (line,)

    def heal(self) -> None:
        """From now on all passes as it is."""
        self.is_hole, self.delay, self.lose, self.expire = False, 0.0, 0, False
        self.expired.clear()
