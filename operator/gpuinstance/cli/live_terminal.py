"""A terminal that shows one picture after another, and tells which key was pressed meanwhile.

Used by `top` alone. It draws on the alternate screen, as pagers do, so that what was there before is there again
afterwards, also after an error. A terminal that knows no modes (Windows) is not drawn on.
"""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TextIO

try:
    import termios
    import tty
except ImportError:  # pragma: no cover - a system without them
    CAN_DRAW = False
else:
    CAN_DRAW = True

_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The other screen, no cursor, and long lines are cut."""
_END = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
_USUAL_HEIGHT = 24


class LiveTerminal:
    """A terminal for as long as it is entered."""

    def __init__(self, out: TextIO, keyboard: TextIO) -> None:
        self._out = out
        self._keyboard = keyboard.fileno()
        self._before: list[Any] = []

    @property
    def height(self) -> int:
        """Lines that fit, now."""
        try:
            return os.get_terminal_size(self._out.fileno()).lines or _USUAL_HEIGHT
        except OSError:
            return _USUAL_HEIGHT

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines and nothing else; without flicker, because nothing is cleared that stays."""
        text = "\n".join(line + _REST_OF_LINE for line in lines)
        self._out.write(_HOME + text + _REST_OF_SCREEN)
        self._out.flush()

    def key(self, seconds: float) -> str:
        """Return the key that is pressed within so many seconds, empty if none is; `q` where the keyboard is gone."""
        ready, _, _ = select.select([self._keyboard], [], [], seconds)
        if not ready:
            return ""
        return os.read(self._keyboard, 1).decode("ascii", errors="replace") or "q"

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._keyboard)
        tty.setcbreak(self._keyboard, termios.TCSANOW)  # what was typed already is not thrown away
        self._out.write(_BEGIN)
        self._out.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._before)
        self._out.write(_END)
        self._out.flush()
