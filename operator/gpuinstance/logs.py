"""Logging: one structured line an event, for our own code and for every library, and no secret in any of them.

Set up once by the composition root. structlog's loggers and the standard library's go through the same
processors to the same stream, and so does what nobody has caught: Python itself would write the text of an
exception as it stands. Two nets hold secrets back: fields whose names say that they hold one are blotted out,
and every value told to `keep_secret` is blotted out wherever it appears in the finished line, or begins to.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import IO, Any, Literal
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

BLOT = "[redacted]"

MOST_SECRETS = 512
"""How many values are remembered; the one not seen for longest goes first."""

_SHORTEST_SECRET = 6
"""Shorter values are no secrets worth the name, and would blot out ordinary words."""
_LONGEST_SECRET = 8192
"""No line is so long that a longer value could stand in it whole."""

_SHORTEST_TOLD = 4
"""The same where somebody knows that this very text may quote the value."""

_TELLTALE = 12
"""So many characters of a longer secret give it away, and are not found in a line by chance."""

_LONGEST_SECRET = 16_384
_MOST_WORDS = 100

_QUIET: Mapping[str, int] = {
    "kopf.objects": logging.WARNING,  # a line for every event of every object; a transition is told by us
    "kopf.activities": logging.WARNING,
    "httpx": logging.WARNING,  # a line for every request, with its address
    "httpcore": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    "urllib3": logging.WARNING,
    "client": logging.INFO,  # kubernetes: at DEBUG it logs bodies, and Secrets are among them
    "kubernetes": logging.INFO,
}
"""Loggers of libraries that say more than an operator of thousands of objects wants to read, whatever the level."""


def configure(
    log_format: Literal["json", "console"],
    level: str = "INFO",
    *,
    stream: IO[str] | None = None,
) -> None:
    """Send all logs to `stream`, standard error by default, from `level` on. May be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(allow=("k8s_ref",)),  # the object that kopf speaks of
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        blot_named_secrets,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(log_format, colours=handler.stream.isatty()),
                blot_known_secrets,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.getLogger("asyncio").addFilter(_is_no_farewell)
    _catch_the_uncaught()


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """False for what asyncio says, with a traceback, of kopf's watches when the process has ended well.

    kopf leaves the generators of its watches to the loop, which cannot close them: nothing is lost by that.
    """
    message = record.getMessage()
    return not ("closing of asynchronous generator" in message and "infinite_watch" in message)


def _catch_the_uncaught() -> None:
    """Log what would otherwise be written to standard error past all processors."""
    logging.captureWarnings(True)
    log = structlog.get_logger("gpuinstance")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            log.critical("the process ends by an unexpected error", exc_info=error)
        else:
            sys.__excepthook__(kind, error, trace)  # somebody ends it on purpose

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        log.error("a thread ended by an unexpected error", exc_info=failed.exc_value)

    def unraisable(failed: sys.UnraisableHookArgs) -> None:
        log.error("an error could not be raised", exc_info=failed.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = ended, in_thread, unraisable


def _renderers(log_format: str, *, colours: bool) -> list[Processor]:
    if log_format == "console":
        # The default formatter of exceptions shows the values of local variables.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


# ---------------------------------------------------------------------------------- secrets by their names

_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase)|secret|token|api[_-]?key|private[_-]?key|authorization|credential|cookie|signature",
    re.IGNORECASE,
)
_NAME_OF_A_SECRET = re.compile(r"(?:name|namespace|ref|id|kind|count|at)$", re.IGNORECASE)
_DEEPEST = 6


def blot_named_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blot out values whose keys say that they are secret, also inside mappings and lists."""
    # What went wrong is formatted later, and would be lost as a list; its text is judged by the second net.
    return {key: value if key == "exc_info" else _blotted(key, value, _DEEPEST) for key, value in event.items()}


def _blotted(key: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(key) and not _NAME_OF_A_SECRET.search(key):
        return BLOT
    if isinstance(value, Mapping):
        return {str(k): _blotted(str(k), v, depth - 1) for k, v in value.items()} if depth else BLOT
    if isinstance(value, list | tuple):
        return [_blotted(key, item, depth - 1) for item in value] if depth else BLOT
    return value


# -------------------------------------------------------------------------------- secrets by their values

_kept: OrderedDict[str, tuple[str, ...]] = OrderedDict()


def keep_secret(value: str) -> None:
    """From now on, let no line show this value: plain, escaped, URL-encoded or in base64."""
    value = value.strip()
    if not _SHORTEST_SECRET <= len(value) <= _LONGEST_SECRET:
        return
    if value not in _kept:
        _kept[value] = _spellings(value)
    _kept.move_to_end(value)
    while len(_kept) > MOST_SECRETS:
        _kept.popitem(last=False)


def blot_known_secrets(_: WrappedLogger, __: str, line: Any) -> str:
    """Blot all values told to `keep_secret` out of a finished line, which is a text by then."""
    return without_secrets(line)


def without_secrets(text: str, further: Iterable[str] = ()) -> str:
    """Return the text with every kept secret blotted out, in all its spellings, and those of `further`.

    Costs a search for each spelling: for lines and messages, not for what is read by the thousand.
    """
    told = (value.strip() for value in further)
    for spellings in (*_kept.values(), *(_spellings(it) for it in told if len(it) >= _SHORTEST_TOLD)):
        for spelling in spellings:
            text = text.replace(spelling, BLOT)
        for spelling in spellings:
            if len(spelling) > _TELLTALE:
                text = _without_beginning(text, spelling)
    return text


def _without_beginning(text: str, spelling: str) -> str:
    """Blot out as much of a long spelling's beginning as the text has.

    Whoever quotes a secret may cut it, or may cut the text that holds it. Asked only after all spellings
    were blotted out whole: most of them begin alike.
    """
    head = spelling[:_TELLTALE]
    at = text.find(head)
    while at >= 0:
        end = at + len(head)
        while end < len(text) and text[end] == spelling[end - at : end - at + 1]:
            end += 1
        text = text[:at] + BLOT + text[end:]
        at = text.find(head, at + len(BLOT))
    return text


def _spellings(value: str) -> tuple[str, ...]:
    """Return the ways in which the value may appear in a line, longest first.

    The long words of a value that has several count as well: a line may hold one of them, or all with other
    white space between them.
    """
    value = value[:_LONGEST_SECRET]
    words = [word for word in value.split() if len(word) > _TELLTALE and word != value]
    found = {spelling for text in (value, *words[:_MOST_WORDS]) for spelling in _encoded(text)}
    return tuple(sorted(found, key=len, reverse=True))


def _encoded(value: str) -> set[str]:
    raw = value.encode("utf-8", errors="surrogateescape")
    plain = {value, repr(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    for _ in range(3):  # a line of JSON may quote JSON that quotes JSON
        plain |= {json.dumps(text)[1:-1] for text in tuple(plain)}
    urls = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    urls |= {re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), url) for url in tuple(urls)}
    return plain | urls | _in_base64(raw)


def _in_base64(raw: bytes) -> set[str]:
    """Return the value in base64, alone and wherever it begins in what was encoded.

    In `user:password` it begins in the middle of a group of three bytes, so there are three ways to write
    it, of which the first and the last characters depend on the neighbours and are left out.
    """
    found: set[str] = set()
    for before in range(3):
        whole = (before + len(raw)) // 3 * 3 - before
        encoded = base64.b64encode(b"\0" * before + raw[:whole]).decode()
        sure = encoded[(0, 2, 3)[before] :]
        found |= {sure, sure.replace("+", "-").replace("/", "_")}
    alone = base64.b64encode(raw).decode()
    found |= {alone, alone.rstrip("="), base64.urlsafe_b64encode(raw).decode()}
    return {text for text in found if len(text) >= _SHORTEST_SECRET}
