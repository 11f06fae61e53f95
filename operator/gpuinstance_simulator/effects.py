"""What a fault does: the vocabulary of `faults`, as data.

Three families. *Wire* effects spoil the exchange of one HTTP call and are carried out by `injection`.
*Page* effects spoil one page of a listing. *World* effects change what happens to the machine that the
call is about, or to the world around it.

`when` says on which side of the acceptance an effect strikes: `before` means that the cloud never
learns of the call, `after` that it has done what was asked and only the answer suffers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gpuinstance_simulator.console import ConsoleAction

When = Literal["before", "after"]


class _Effect(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Drop(_Effect):
    """The connection is reset instead of answered."""

    kind: Literal["drop"] = "drop"
    when: When = "after"


class Hang(_Effect):
    """Nothing comes for so many real seconds, then the connection is reset."""

    kind: Literal["hang"] = "hang"
    when: When = "after"
    seconds: float = Field(default=3600, ge=0)


class Delay(_Effect):
    """The call takes so many real seconds longer. `before`: it is accepted late, even if the caller left."""

    kind: Literal["delay"] = "delay"
    when: When = "after"
    seconds: float = Field(ge=0)


class Answer(_Effect):
    """Another answer than the true one: a broken gateway, a limit, a refusal, a page of HTML."""

    kind: Literal["answer"] = "answer"
    when: When = "before"
    status: int = Field(default=500, ge=200, le=599)
    reason: str | None = None
    """The provider's error name; None: the usual one of that status. A face may know further words, such as
    Hostwinds' `success`: accepted, it says, and nothing has happened (see `hostwinds.items`)."""
    message: str | None = None
    retry_after: int | None = Field(default=None, ge=0)
    """Real seconds, sent as a Retry-After header; None: no such header."""
    html: bool | None = None
    """HTML instead of JSON; None: for 502 and 504, as a gateway does."""


class Truncate(_Effect):
    """The answer ends in the middle."""

    kind: Literal["truncate"] = "truncate"
    abort: bool = False
    """True: the connection breaks before the announced length; False: a complete answer of half a JSON."""


class Strip(_Effect):
    """Fields are missing from the JSON answer, for instance the `id` of a new machine.

    Top-level ones, or those of the objects in an array or in an envelope that holds nothing else.
    """

    kind: Literal["strip"] = "strip"
    fields: tuple[str, ...] = ("id",)


class Page(_Effect):
    """One page of a listing is wrong although it is answered with 200."""

    kind: Literal["page"] = "page"
    shape: Literal["empty", "short", "repeated", "overlap"]
    """`empty`: no entries, `short`: the last is missing, `repeated`: the page before once more,
    `overlap`: the last entry is replaced by the first."""


class Lag(_Effect):
    """Listings learn so many virtual seconds later of the creation or deletion that this call asks for."""

    kind: Literal["lag"] = "lag"
    seconds: float = Field(ge=0)


class Stick(_Effect):
    """The machine stays in a state for longer than usual; `seconds` null: for ever."""

    kind: Literal["stick"] = "stick"
    state: str
    seconds: float | None = Field(default=None, ge=0)


class Fail(_Effect):
    """At the end of the state `at` the machine lands in `ends`, with the provider's error fields filled."""

    kind: Literal["fail"] = "fail"
    at: str
    ends: str
    state: str = "error"
    message: str = "image pull failed"


class Word(_Effect):
    """A word that nobody knows is shown for the state: always, or only while in `state`."""

    kind: Literal["word"] = "word"
    word: str
    state: str | None = None


class Reclaim(_Effect):
    """The spot machine is reclaimed: announced after so much running, begun after the notice."""

    kind: Literal["reclaim"] = "reclaim"
    after: float = Field(default=0, ge=0)
    notice: float = Field(default=3600, ge=0)


class Price(_Effect):
    """All prices are multiplied, of one product or of all."""

    kind: Literal["price"] = "price"
    when: When = "after"
    factor: Decimal = Field(gt=0)
    product: str | None = None


class Console(_Effect):
    """Somebody does something to the machine in the provider's console at this very moment."""

    kind: Literal["console"] = "console"
    when: When = "before"
    do: ConsoleAction


Effect = Annotated[
    Drop | Hang | Delay | Answer | Truncate | Strip | Page | Lag | Stick | Fail | Word | Reclaim | Price | Console,
    Field(discriminator="kind"),
]
