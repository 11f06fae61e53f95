"""What an HTTP answer means: the one place where statuses and error bodies become the errors of `base`.

Called by `http` with the bytes that came back, and by adapters when a parsed answer is a refusal or lacks
what it must hold. Pure: no request is sent from here, nothing is retried, no clock is read. How one
provider words its errors is data, a `Dialect`, given by its adapter. Every text that leaves this room is
one short line without control characters, and without the secrets named in the `Call`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from gpuinstance.api.reasons import Reason
from gpuinstance.logs import without_secrets
from gpuinstance.providers.base import (
    NotFound,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
    WrongState,
)
from gpuinstance.providers.dialects import Dialect, Refusal, Rules

MAX_EXCERPT = 200
"""Characters of a provider's own words that an error may quote."""

MAX_RETRY_AFTER = 3600.0
"""Seconds. A provider that asks for a longer pause is asked again after an hour: one call is no load,
and a nonsensical header must not silence the operator for days."""

_ERROR_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,63}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as judging its answer needs to know it."""

    what: str
    """The operation in words, e.g. `create`; begins no sentence."""
    changes: bool = False
    """True: a missing or unusable answer leaves the outcome unknown."""
    missing: Reason | None = None
    """The reason of NotFound if the provider does not know the thing that the call names by id; None
    for a call that names none, where "not found" is an ordinary refusal."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that no error may repeat, should the provider echo them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is None where it was larger than the edge reads."""

    status: int
    body: bytes | None
    retry_after: str | None = None
    """The header, unparsed."""


def value_of(answer: Answer, call: Call, dialect: Dialect, *, now: datetime) -> object:
    """Return the JSON value of a successful answer, None for an empty one; raise what a failure means.

    `now` serves to read a Retry-After that is a date.
    """
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return _success(answer, call, dialect)
    raise _failure(answer, call, dialect, now)


def refused(call: Call, dialect: Dialect, text: object, *, code: str = "") -> ProviderError:
    """Return the error for a no that came with the status of a success: only its words can decide."""
    words = excerpt(text, call.secrets)
    refusal = _first(dialect.certain, words) or _first(dialect.phrases, words) or Refusal(Rejected)
    return _no(refusal, call, dialect, words, code or "an error without words")


def unusable(call: Call, dialect: Dialect, why: str, *, code: str = "") -> ProviderError:
    """Return the error for a request that was sent and brought nothing that can be used."""
    if call.changes:
        return UnknownOutcome(f"whether {call.what} took effect is not known: {why}", code=code)
    return Unavailable(f"{dialect.provider} gave no usable answer to {call.what}: {why}", code=code)


def excerpt(text: object, secrets: tuple[str, ...] = ()) -> str:
    """Return a provider's words as one short printable line.

    Where there are `secrets`, they are blotted out, and so are those that the log keeps, however they are written.
    """
    if not isinstance(text, str):
        return ""
    if secrets:
        text = without_secrets(text, secrets)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_EXCERPT else line[: MAX_EXCERPT - 1] + "…"


def parse_retry_after(header: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for; None where it is absent or unreadable.

    Both forms of RFC 9110 §10.2.3 are read: a number of seconds and an HTTP date.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        seconds = (aware - now).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _success(answer: Answer, call: Call, dialect: Dialect) -> object:
    if answer.body is None:
        raise unusable(call, dialect, "the answer is too large")
    if not answer.body.strip():
        return None
    try:
        value: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        is_page = answer.body.lstrip().startswith(b"<")
        why = "an HTML page instead of JSON" if is_page else "the answer is not JSON"
        raise unusable(call, dialect, why) from None
    return value


def _failure(answer: Answer, call: Call, dialect: Dialect, now: datetime) -> ProviderError:
    name, text = _words(answer.body, call.secrets, dialect)
    code = name or f"HTTP {answer.status}"
    refusal = _first(dialect.certain, text)
    if refusal is None and not _is_definite(answer.status):
        why = f"HTTP {answer.status}: {text}" if text else f"HTTP {answer.status}"
        return unusable(call, dialect, why, code=code)
    retry_after = parse_retry_after(answer.retry_after, now=now)
    refusal = refusal or _refusal(answer.status, name, text, dialect)
    if refusal.error is UnknownOutcome:
        refusal = Refusal(Unavailable)  # trouble, but with a status that says that nothing was done
    return _no(refusal, call, dialect, text, code, retry_after)


def _no(
    refusal: Refusal, call: Call, dialect: Dialect, text: str, code: str, retry_after: float | None = None
) -> ProviderError:
    if refusal.error is UnknownOutcome:
        return unusable(call, dialect, text, code=code)
    if refusal == _ABSENT:
        refusal = _first(dialect.absent, text) or Refusal(NotFound if call.missing else Rejected, call.missing)
    no = f"{dialect.provider} refused {call.what}: {text or code}"
    if refusal.error is RateLimited:
        return RateLimited(no, retry_after=retry_after, code=code)
    if refusal.error is Unauthorized and dialect.unauthorized:
        no = f"{no}; {dialect.unauthorized}"
    return refusal.error(no, reason=refusal.reason, code=code)


def _is_definite(status: int) -> bool:
    """Return whether a status is a certain no: the request was understood as such and not carried out."""
    is_client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    # A proxy may time a request out after it has passed it on.
    return is_client_error and status != HTTPStatus.REQUEST_TIMEOUT


def _refusal(status: int, name: str, text: str, dialect: Dialect) -> Refusal:
    """Return what a definite no means: some statuses decide alone, then the name, then the words."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if not name and not text:
        # A 4xx of a proxy, or of a wrong base URL: nothing was changed, but the provider itself has
        # not spoken. Above all, its 404 does not say that a machine is gone.
        return Refusal(Unavailable)
    if name in dialect.names:
        return dialect.names[name]
    fallback: Mapping[int, Refusal] = {
        HTTPStatus.NOT_FOUND: _ABSENT,
        HTTPStatus.CONFLICT: Refusal(WrongState),
    }
    return _first(dialect.phrases, text) or fallback.get(status, Refusal(Rejected))


def _first(rules: Rules, text: str) -> Refusal | None:
    return next((refusal for pattern, refusal in rules if pattern.search(text)), None)


_ABSENT = Refusal(NotFound)
"""Something is not found; what it is depends on the call."""

_BY_STATUS: Mapping[int, Refusal] = {
    HTTPStatus.UNAUTHORIZED: Refusal(Unauthorized),
    HTTPStatus.FORBIDDEN: Refusal(Unauthorized),
    HTTPStatus.TOO_EARLY: Refusal(Unavailable),
    HTTPStatus.TOO_MANY_REQUESTS: Refusal(RateLimited),
}


def _words(body: bytes | None, secrets: tuple[str, ...], dialect: Dialect) -> tuple[str, str]:
    """Return (name, text) of an error body, each empty where it has none."""
    try:
        spoken = dialect.read(json.loads(body or b""))
    except (ValueError, RecursionError):
        return "", ""
    text = next((words for words in (excerpt(it, secrets) for it in spoken.texts) if words), "")
    # Some surfaces put the name where the text belongs.
    name = next((it for it in (*spoken.names, text) if isinstance(it, str) and _ERROR_NAME.fullmatch(it)), "")
    return name, text
