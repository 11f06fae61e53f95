"""Tells an error page that comes with a good status from a page that merely mentions an error.

Proxies and applications answer 200 with "Bad Gateway" in the body while nothing serves behind them. But a
healthy blog may have an article about maintenance mode. What tells them apart is that **an error page is
short and speaks of nothing else**. So a phrase of the list counts only where one of these holds:

- *notice*: all visible text together has at most 200 characters, and the phrase is in it. A setting that says
  no, such as "maintenance mode: off", does not count.
- *page*: HTML with at most 2,000 characters of visible text, and the phrase is in its title or in an h1.
- *JSON*: the phrase is in a text under `error`, `errors` or `exception`, or it is, but for numbers and
  punctuation, the whole text under `message`, `detail`, `title`, `status`, `msg` or `reason` of the outermost object.

Anything longer counts as a page with something to say, also a body that was cut off at the reading limit.
Visible text is what remains without tags, comments, scripts and styles. Phrases match whole words, in any case.
Pure, linear in the size of the body, and patient with hostile input.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gpuinstance.probes.failures import Category

LONGEST_NOTICE = 200
LONGEST_PAGE = 2_000
_MOST_VALUES = 100

PHRASES: tuple[tuple[str, Category], ...] = (
    ("bad gateway", Category.BAD_GATEWAY),
    ("gateway error", Category.BAD_GATEWAY),
    ("upstream error", Category.BAD_GATEWAY),
    ("proxy error", Category.BAD_GATEWAY),
    ("gateway timeout", Category.BAD_GATEWAY),
    ("gateway time-out", Category.BAD_GATEWAY),
    ("service unavailable", Category.SERVICE_UNAVAILABLE),
    ("temporarily unavailable", Category.SERVICE_UNAVAILABLE),
    ("maintenance mode", Category.SERVICE_UNAVAILABLE),
    ("internal server error", Category.SERVER_ERROR),
    ("application error", Category.SERVER_ERROR),
    ("server error occurred", Category.SERVER_ERROR),
)


def error_in(body: bytes, *, patterns: Sequence[str] = ()) -> tuple[str, Category] | None:
    """Return the phrase by which a complete body is an error page, and what it means; None if it is none.

    `patterns` are further phrases, which mean SERVER_ERROR; they obey the same rule.
    """
    text = body.decode("utf-8-sig", errors="replace").strip()
    lower = text.lower()
    extended = (*PHRASES, *((pattern, Category.SERVER_ERROR) for pattern in patterns if pattern.strip()))
    # Most bodies do not even hold the words, wherever they are: nothing more needs to be looked at.
    phrases = [it for it in extended if all(word in lower for word in it[0].lower().split())]
    if not phrases:
        return None
    parsed = _json_of(text)
    if parsed is not None:
        return _in_json(parsed, phrases)
    page = _visible(text) if text.startswith("<") else _Page(text=[text])
    if page.length > LONGEST_PAGE:
        return None
    notice = _plain(page.text)
    said = [notice] if len(notice) <= LONGEST_NOTICE else [_plain(headline) for headline in page.headlines]
    return next((it for it in phrases if any(_words(it[0]).search(text) for text in said)), None)


_SAYS_NO = r"\s*(?:[:=]|is)\s*(?:off|no|none|false|disabled|inactive|0)\b"


@lru_cache(maxsize=1024)
def _words(phrase: str) -> re.Pattern[str]:
    """Return what finds the phrase in a text, as whole words, unless it is said to be off."""
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.compile(rf"(?<!\w){words}(?!\w)(?!{_SAYS_NO})", re.IGNORECASE)


def _is_all(text: str, phrase: str) -> bool:
    """True if the text is the phrase, but for numbers and punctuation around it."""
    found = _words(phrase).search(text)
    return found is not None and not re.search(r"[^\W\d_]", text[: found.start()] + text[found.end() :])


def _plain(pieces: Iterable[str]) -> str:
    return " ".join(html.unescape(" ".join(pieces)).split())


# ------------------------------------------------------------------------------------------------ JSON

_ERROR_KEYS = ("error", "errors", "exception")
_SUMMARY_KEYS = ("message", "detail", "title", "status", "msg", "reason")


def _json_of(text: str) -> dict[str, object] | list[object] | None:
    if not text.startswith(("{", "[")):
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None


def _in_json(
    parsed: dict[str, object] | list[object], phrases: list[tuple[str, Category]]
) -> tuple[str, Category] | None:
    if not isinstance(parsed, dict):
        return None
    errors = [text for key in _ERROR_KEYS for text in _texts(parsed.get(key))]
    summaries = [value for key in _SUMMARY_KEYS if isinstance(value := parsed.get(key), str)]
    for phrase in phrases:
        if any(_words(phrase[0]).search(text) for text in errors if len(text) <= LONGEST_PAGE):
            return phrase
        if any(_is_all(text, phrase[0]) for text in summaries if len(text) <= LONGEST_NOTICE):
            return phrase
    return None


def _texts(value: object) -> Iterator[str]:
    """Return the texts in a value: itself, or what lies up to two levels below it."""
    level = [value]
    for _ in range(3):
        deeper: list[object] = []
        for it in level[:_MOST_VALUES]:
            if isinstance(it, str):
                yield it
            elif isinstance(it, dict):
                deeper += it.values()
            elif isinstance(it, list):
                deeper += it
        level = deeper


# ------------------------------------------------------------------------------------------------ HTML


@dataclass(slots=True)
class _Page:
    """What people see of a page, as far as it was read."""

    text: list[str] = field(default_factory=list)
    headlines: list[list[str]] = field(default_factory=list)
    """The pieces of each."""

    @property
    def length(self) -> int:
        return sum(len(piece) for piece in self.text)


_TAG_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_UNSEEN = frozenset({"script", "style", "template", "noscript"})
_HEADLINES = frozenset({"title", "h1"})


def _visible(text: str) -> _Page:
    """Return the visible text of a page, or somewhat more than the longest page that matters.

    The standard library's parser is quadratic on some inputs; this walk only goes forward.
    """
    page = _Page()
    lower = text.lower()
    if len(lower) != len(text):  # a few letters change their length; positions must agree
        text = lower
    headline, seen, at = False, 0, 0
    while at < len(text) and seen <= LONGEST_PAGE:
        opening = text.find("<", at)
        piece = text[at:] if opening < 0 else text[at:opening]
        if piece := piece.strip():
            seen += len(piece)
            page.text.append(piece)
            if headline:
                page.headlines[-1].append(piece)
        if opening < 0:
            break
        name = tag.group(1).lower() if (tag := _TAG_NAME.match(text, opening)) else ""
        closing = text.startswith("</", opening)
        if name in _HEADLINES:
            headline = not closing
            if headline:
                page.headlines.append([])
        at = _behind(text, lower, opening, "" if closing else name)
    return page


def _behind(text: str, lower: str, opening: int, name: str) -> int:
    """Return where to read on behind a tag or a comment, or before the end of an element that nobody sees."""
    if name in _UNSEEN:
        end = lower.find(f"</{name}", opening)
    else:
        mark = "-->" if text.startswith("<!--", opening) else ">"
        end = text.find(mark, opening)
        end += len(mark) * (end >= 0)
    return len(text) if end < 0 else end
