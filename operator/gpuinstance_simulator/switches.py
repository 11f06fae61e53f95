"""Quirks that can be switched while the simulator serves.

A face holds its provider's quirks in one of these; the command line sets them, the admin API changes them
at run time. Whoever depends on them reads `now` at each use, or follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel

Q = TypeVar("Q", bound=BaseModel)


class Switches(Generic[Q]):
    """The present quirks of one face: a frozen model, replaced as a whole."""

    def __init__(self, quirks: Q) -> None:
        self._now = quirks
        self._followers: list[Callable[[Q], None]] = []

    @property
    def now(self) -> Q:
        """The quirks of this moment."""
        return self._now

    def follow(self, follower: Callable[[Q], None]) -> None:
        """Hand the quirks to `follower`, now and after each change."""
        self._followers.append(follower)
        follower(self._now)

    def change(self, changes: Mapping[str, object]) -> None:
        """Set what is given, leave the rest. Raises pydantic's ValidationError for anything unknown."""
        self._now = type(self._now).model_validate({**self._now.model_dump(), **changes})
        for follower in self._followers:
            follower(self._now)
