"""The envelopes of Hostwinds' answers: taking the content out, and hearing the no in a success.

Called by `account` with the JSON of an answer whose HTTP status says success. Documentation and
practice disagree whether what is read comes bare or under `success`, so both are opened. A change answers
with an array of result items; one item that is an error makes it a failure, and an error beside a success
an outcome that nobody knows. Pure.
"""

from __future__ import annotations

from gpuinstance.providers.answers import Call, excerpt, refused, unusable
from gpuinstance.providers.base import ProviderError
from gpuinstance.providers.hostwinds.errors import HOSTWINDS, message_of

_SUCCESS, _ERROR = "success", "error"


def content(value: object, call: Call) -> object:
    """Return what an answer to a read holds, None for an empty one; raise what its error items mean."""
    if isinstance(value, dict) and _result(value) is None and _SUCCESS in value:
        value = value[_SUCCESS]
    items = _items(value)
    for item in items:
        if _result(item) == _ERROR:
            raise _refusal(item, call)
    if items:
        raise unusable(call, HOSTWINDS, "a confirmation instead of what was asked for")
    return value


def confirm(value: object, call: Call) -> None:
    """Return if an answer to a change confirms it; raise what its error items mean, UnknownOutcome if unclear."""
    if isinstance(value, dict) and _result(value) is None:
        value = value.get(_SUCCESS)
    items = _items(value)
    results = {_result(item) for item in items}
    if not items or not results <= {_SUCCESS, _ERROR}:
        raise unusable(call, HOSTWINDS, "an answer without a result")
    errors = [item for item in items if _result(item) == _ERROR]
    if errors and _SUCCESS in results:
        words = excerpt(message_of(errors[0]), call.secrets)
        raise unusable(call, HOSTWINDS, f"one part succeeded, another did not: {words}")
    if errors:
        raise _refusal(errors[0], call)


def _items(value: object) -> list[object]:
    """Return the result items of an answer; empty if it is none."""
    if isinstance(value, dict):
        return [value] if _result(value) is not None else []
    if isinstance(value, list) and any(_result(item) is not None for item in value):
        return value
    return []


def _result(item: object) -> str | None:
    result = item.get("result") if isinstance(item, dict) else None
    return result.strip().lower() if isinstance(result, str) else None


def _refusal(item: object, call: Call) -> ProviderError:
    words = message_of(item)
    number = item.get("ERROR") if isinstance(item, dict) else None
    code = excerpt(str(number)) if isinstance(number, str | int) else ""
    return refused(call, HOSTWINDS, words, code=code)
