"""Prints tables, paragraphs and colours for people.

Text from the cluster may quote a provider; what could drive a terminal is taken out of it here.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TextIO


class Style(Enum):
    """How a text is shown; the value is an ANSI code."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    GOOD = "32"
    WAITING = "33"
    BAD = "31"


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text with a style."""

    text: str
    style: Style = Style.PLAIN


Row = Sequence[Text | str]

_WIDEST = 120
_NARROWEST = 30
_GAP = 3


class Screen:
    """Where a command prints. Without colours the same text comes out, without them."""

    def __init__(self, out: TextIO, *, colours: bool = False, width: int = 100) -> None:
        self._out = out
        self._colours = colours
        self._width = width

    @classmethod
    def of(cls, out: TextIO, env: Mapping[str, str]) -> Screen:
        """Return a screen that suits the stream: colours only on a terminal, and only where they are wanted."""
        width = min(shutil.get_terminal_size().columns, _WIDEST) if out.isatty() else _WIDEST
        return cls(out, colours=wants_colours(out, env), width=width)

    def line(self, *pieces: Text | str, indent: int = 0) -> None:
        """Print one line."""
        self._out.write(" " * indent + "".join(self._painted(piece) for piece in pieces) + "\n")

    def prompt(self, text: str) -> None:
        """Print a question, behind which the answer is typed."""
        self._out.write(text)
        self._out.flush()

    def paragraph(self, text: Text | str, *, indent: int = 0) -> None:
        """Print a text, wrapped to the width."""
        for line in self._wrapped(text if isinstance(text, Text) else Text(text), indent):
            self.line(line, indent=indent)

    def heading(self, title: str, *rest: Text | str) -> None:
        """Print the title of a section, and what belongs beside it."""
        self.line()
        self.line(Text(title, Style.BOLD), *(["  ", *rest] if rest else []))

    def table(self, rows: Iterable[Row], *, indent: int = 0) -> None:
        """Print rows in columns as wide as needed; the last column is wrapped if the line gets too long."""
        cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
        widths = [max(len(cell.text) for cell in column) for column in zip(*cells, strict=True)]
        before = indent + sum(width + _GAP for width in widths[:-1])
        for *first, last in cells:
            padded = zip(first, widths, strict=False)
            start = "".join(self._painted(cell) + " " * (width - len(cell.text) + _GAP) for cell, width in padded)
            lines = self._wrapped(last, before) or [Text("")]
            self._out.write((" " * indent + start + self._painted(lines[0])).rstrip() + "\n")
            for line in lines[1:]:
                self.line(line, indent=before)

    def _wrapped(self, text: Text, indent: int) -> list[Text]:
        width = max(self._width - indent, _NARROWEST)
        lines = textwrap.wrap(printable(text.text), width, break_long_words=False, break_on_hyphens=False)
        return [Text(line, text.style) for line in lines]

    def _painted(self, piece: Text | str) -> str:
        piece = piece if isinstance(piece, Text) else Text(piece)
        text = printable(piece.text)
        if not self._colours or piece.style is Style.PLAIN or not text:
            return text
        return f"\x1b[{piece.style.value}m{text}\x1b[0m"


def wants_colours(out: TextIO, env: Mapping[str, str]) -> bool:
    """True for a terminal, unless NO_COLOR or a dumb one forbids it."""
    return out.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def printable(text: str) -> str:
    """Return the text on one line, without characters that a terminal acts on."""
    return "".join(c if c.isprintable() else " " for c in text)


_MINUTE, _HOUR, _DAY = 60, 3600, 86400

_SPANS: tuple[tuple[int, int, int | None], ...] = (
    (2 * _MINUTE, 1, None),
    (10 * _MINUTE, _MINUTE, 1),
    (3 * _HOUR, _MINUTE, None),
    (8 * _HOUR, _HOUR, _MINUTE),
    (2 * _DAY, _HOUR, None),
    (8 * _DAY, _DAY, _HOUR),
)
"""(shorter than, unit, second unit), all in seconds: kubectl's way of rounding a span for people."""

_UNITS = {1: "s", _MINUTE: "m", _HOUR: "h", _DAY: "d"}


def span(length: timedelta) -> str:
    """Return a length of time as kubectl writes it: `90s`, `5m30s`, `47h`, `12d`; nothing below zero."""
    seconds = max(int(length.total_seconds()), 0)
    _, unit, second = next((it for it in _SPANS if seconds < it[0]), (0, _DAY, None))
    whole, rest = divmod(seconds, unit)
    text = f"{whole}{_UNITS[unit]}"
    if second is not None and rest // second:
        text += f"{rest // second}{_UNITS[second]}"
    return text


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was, `-` for none."""
    return span(now - moment) if moment is not None else "-"
