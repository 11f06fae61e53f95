"""How a command ends: its exit code, and the trouble that keeps it from its work.

Read by every room of the command line; shown by `--help`. Nothing here talks to a cluster or prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """How a command ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_CONFIRMED = 4
    IMPOSSIBLE = 5
    TIMED_OUT = 6
    GONE = 7
    REFUSED = 8
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "the question was answered, whatever the answer; what was asked is done; what was waited for is reached",
    Exit.FAILED: "the cluster could not be asked, or forbids it",
    Exit.USAGE: "the arguments are not valid",
    Exit.NOT_FOUND: "the named object does not exist, or nothing matches",
    Exit.NOT_CONFIRMED: "it was not confirmed: nothing was changed",
    Exit.IMPOSSIBLE: "what is waited for cannot be reached any more unless somebody acts",
    Exit.TIMED_OUT: "what is waited for was not reached in time",
    Exit.GONE: "what was waited for was deleted meanwhile",
    Exit.REFUSED: "it cannot be done as things are: nothing was changed",
    Exit.INTERRUPTED: "interrupted from the keyboard",
}


class Trouble(Exception):
    """The command cannot be carried out; the text is for the user."""

    def __init__(self, text: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(text)
        self.code = code


class ClusterTrouble(Trouble):
    """The API server did not answer, or said no.

    `status` is the HTTP status of its answer, None if there was none.
    """

    def __init__(self, text: str, code: Exit = Exit.FAILED, *, status: int | None = None) -> None:
        super().__init__(text, code)
        self.status = status
