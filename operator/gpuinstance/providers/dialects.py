"""How a provider says no, as data: what `answers` needs to know of one provider's wording.

Filled in by the `errors` of each provider, read by `answers`. Nothing is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.base import ProviderError


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which error a provider's word stands for; `reason` None keeps the reason of the class.

    UnknownOutcome stands for trouble that is no refusal: of a read it leaves only no answer.
    """

    error: type[ProviderError]
    reason: Reason | None = None


Rules = tuple[tuple[re.Pattern[str], Refusal], ...]
"""Refusals by words in a message; the first that matches counts."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Where an error body may hold its name and its text; the first usable one of each counts."""

    names: Sequence[object] = ()
    texts: Sequence[object] = ()


def read_object(body: object) -> Spoken:
    """Return what an error body in the shape of an object says.

    Read are the shapes `{"reason", "message"}`, `{"code": "NAME", "msg"}`, `{"error": {"code",
    "message"}}` and `{"error": "…"}`: surfaces of one provider differ.
    """
    if not isinstance(body, dict):
        return Spoken()
    inner = body.get("error")
    nested = inner if isinstance(inner, dict) else {}
    return Spoken(
        names=(body.get("reason"), body.get("code"), nested.get("code"), inner),
        texts=(body.get("message"), nested.get("message"), body.get("msg"), inner, body.get("reason")),
    )


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one provider says no."""

    provider: str
    """Its name in messages."""
    names: Mapping[str, Refusal] = field(default_factory=dict)
    """By the error's name: definite."""
    phrases: Rules = ()
    """By words in the message, where the name is missing or says nothing."""
    absent: Rules = ()
    """By words in the message of a "not found": things that a call names beside its own subject. A
    registry login that is not found must never look like a machine that is gone."""
    certain: Rules = ()
    """By words in the message, whatever the status of the answer."""
    read: Callable[[object], Spoken] = read_object
    """Finds name and text in the JSON of an error body."""
    unauthorized: str = ""
    """What to look at when the credential is refused; ends the message."""
