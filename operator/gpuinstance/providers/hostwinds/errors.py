"""How Hostwinds says no: phrases, each with the error that it stands for.

Data for `answers`, used by the rooms of Hostwinds only. An error is a *result item* in an array, nearly
always with HTTP 200; it has a text for people and sometimes a number, which may change without notice. So
the text decides. Few texts are documented: a valid serviceid that is missing or required, an invalid
location, disabled hourly products, `Not Authorized!`. The others are matched loosely, by the words that
such a text can hardly do without; a text that matches nothing is an ordinary refusal.
"""

from __future__ import annotations

import re

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.base import (
    NotFound,
    OutOfCapacity,
    RateLimited,
    Rejected,
    Unauthorized,
    UnknownOutcome,
    WrongState,
)
from gpuinstance.providers.dialects import Dialect, Refusal, Rules, Spoken

_TAG = re.compile(r"<[^<>]*>")
_BAD = r"invalid|required|unknown|not (found|available|exist|valid)|(does|do) not exist|no such"


def _rules(*rules: tuple[str, Refusal]) -> Rules:
    return tuple((re.compile(pattern, re.IGNORECASE), refusal) for pattern, refusal in rules)


def _bad(thing: str) -> str:
    """Return a pattern for a text that calls `thing` bad, in either order of the words."""
    return rf"(?=.*\b({thing})\b)(?=.*\b({_BAD})\b)"


_PHRASES = _rules(
    (r"\bservice ?id\b", Refusal(NotFound)),
    (r"too many requests|rate limit", Refusal(RateLimited)),
    (r"\baccount\b.*\b(suspended|locked|closed)\b", Refusal(Rejected)),
    (r"\b(suspended|locked)\b", Refusal(Rejected, Reason.INSTANCE_SUSPENDED)),
    (_bad("location( ?id)?"), Refusal(Rejected, Reason.REGION_NOT_FOUND)),
    (_bad("template"), Refusal(Rejected, Reason.TEMPLATE_NOT_FOUND)),
    (_bad("product|plan|rid|package"), Refusal(Rejected, Reason.PRODUCT_NOT_FOUND)),
    (r"products? (are|is) disabled|\bbilling ?cycle\b", Refusal(Rejected, Reason.NO_PRODUCT_AVAILABLE)),
    (r"out of stock|sold out|no .*\b(capacity|stock)\b|(insufficient|not enough) resource", Refusal(OutOfCapacity)),
    (r"(insufficient|not enough) .*\b(funds|credit|balance)\b", Refusal(Rejected, Reason.BALANCE_NOT_ENOUGH)),
    (r"payment (failed|declined)|\blimit\b.*\breached\b", Refusal(Rejected, Reason.BALANCE_NOT_ENOUGH)),
    (r"\bunpaid\b|\b(not|be) (yet )?(been )?paid\b|\boverdue\b", Refusal(Rejected)),
    (r"\balready\b|in progress|\bis being\b|\bcurrently\b|\bmust be\b|\bbusy\b", Refusal(WrongState)),
    (r"\bstate\b", Refusal(WrongState)),
    (r"\b(is|are|was) not (yet )?(running|stopped|active|online|offline|resized)\b", Refusal(WrongState)),
    (r"not found|not exist|no such", Refusal(NotFound)),
    # Something broke, and how far it came is not said: no refusal.
    (r"(internal|server|unexpected) error|exception|timed? ?out", Refusal(UnknownOutcome)),
    (r"try again|temporar|maintenance", Refusal(UnknownOutcome)),
)  # fmt: skip

_ABSENT = _rules((r"\b(order|invoice|ssh|key|ip)\b", Refusal(Rejected)))

_CERTAIN = _rules((r"^not authori[sz]ed(\W*$|:)", Refusal(Unauthorized)))


def message_of(item: object) -> str:
    """Return the words of a result item as plain text, empty for anything else; they may hold HTML."""
    if not isinstance(item, dict):
        return ""
    message, action = (text if isinstance(text, str) else "" for text in (item.get("message"), item.get("action")))
    words = " ".join(_TAG.sub(" ", message).split())
    if action.strip().lower() == "authorization" and not words.lower().startswith("not authori"):
        return f"Not Authorized: {words}"
    return words or action


def _read(body: object) -> Spoken:
    items = body if isinstance(body, list) else [body]
    return Spoken(texts=tuple(message_of(item) for item in items))


HOSTWINDS = Dialect(
    "Hostwinds",
    phrases=_PHRASES,
    absent=_ABSENT,
    certain=_CERTAIN,
    read=_read,
    unauthorized=(
        "either the API key is wrong, or this machine's IPv4 address is not on the key's list of allowed addresses"
    ),
)
"""Hostwinds' errors."""
