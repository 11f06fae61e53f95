"""One call for each action, and one name for each way in which it can end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from gpuinstance.acting import act
from gpuinstance.api.reasons import Reason
from gpuinstance.core.decision import (
    Action,
    ApplyUpgrade,
    ChangeSoftware,
    ConfirmUpgrade,
    Create,
    Delete,
    GrowDisk,
    OrderUpgrade,
    Rebuild,
    RegenerateNetworking,
    Reinstall,
    Restart,
    RevertUpgrade,
    SetPorts,
    Start,
    Stop,
    SwitchToMonthly,
)
from gpuinstance.core.model import PlanChoice, Software
from gpuinstance.core.record import Accepted, Answer, Outdated, Refused, Unclear
from gpuinstance.providers import base
from gpuinstance.providers.base import Provider
from tests.builders import order, ports

SOFTWARE = Software("other:2", env=(("TOKEN", "s3cret"),))
PORTS = ports("80/http", "22/tcp")

CALLS: list[tuple[Action, str, tuple[Any, ...], dict[str, Any]]] = [
    (Create(order()), "create", (order(),), {}),
    (Start("m-1"), "start", ("m-1",), {}),
    (Stop("m-1"), "stop", ("m-1",), {}),
    (Restart("m-1"), "restart", ("m-1",), {}),
    (Delete("m-1"), "delete", ("m-1",), {}),
    (SetPorts("m-1", PORTS), "set_ports", ("m-1", PORTS), {}),
    (GrowDisk("m-1", 60, 100), "grow_disk", ("m-1",), {"from_gb": 60, "to_gb": 100}),
    (ChangeSoftware("m-1", SOFTWARE), "change_software", ("m-1", SOFTWARE), {"keep_data": True}),
    (Rebuild("m-1"), "rebuild", ("m-1",), {}),
    (Reinstall("m-1", "ubuntu"), "reinstall", ("m-1", "ubuntu"), {}),
    (RegenerateNetworking("m-1"), "regenerate_networking", ("m-1",), {}),
    (SwitchToMonthly("m-1", 3), "switch_to_monthly", ("m-1", 3), {}),
    (OrderUpgrade("m-1", PlanChoice("7")), "order_upgrade", ("m-1", PlanChoice("7")), {}),
    (ApplyUpgrade("m-1", 100), "apply_upgrade", ("m-1",), {"disk_gb": 100}),
    (ConfirmUpgrade("m-1"), "confirm_upgrade", ("m-1",), {}),
    (RevertUpgrade("m-1"), "revert_upgrade", ("m-1",), {}),
]
ACTIONS = [action for action, *_ in CALLS]
OTHERS = [action for action in ACTIONS if not isinstance(action, Create | Delete)]


class Recorder:
    """A provider that notes what it is asked for, and answers or fails as it is told."""

    def __init__(self, answer: BaseException | str | None = None) -> None:
        self.answer = answer
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> str | None:
            self.calls.append((name, args, kwargs))
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

        return call


async def outcome(action: Action, error: BaseException) -> Answer:
    """Return what becomes of the action where the provider fails so; it is called once, whatever happens."""
    provider = Recorder(error)
    answer = await act(cast("Provider", provider), action)
    assert len(provider.calls) == 1
    return answer


def name_of(value: object) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


@pytest.mark.parametrize(("action", "method", "args", "kwargs"), CALLS, ids=[name_of(action) for action in ACTIONS])
async def test_each_action_is_one_call(
    action: Action, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """With exactly what the decision says, and nothing before or after it."""
    provider = Recorder("m-7" if isinstance(action, Create) else None)
    assert await act(cast("Provider", provider), action) == Accepted("m-7" if isinstance(action, Create) else None)
    assert provider.calls == [(method, args, kwargs)]


def test_every_action_is_tried_here() -> None:
    """A new kind of action needs a row."""
    assert {type(action) for action in ACTIONS} == set(Action.__args__)


ALIKE: dict[str, tuple[base.ProviderError, Answer]] = {
    "no usable answer: it may have happened": (base.UnknownOutcome("lost"), Unclear("lost")),
    "the machine has moved on": (base.WrongState("it is stopped"), Outdated("it is stopped")),
    "too many calls, and no time named": (
        base.RateLimited("slow down"),
        Refused(Reason.RATE_LIMITED, "slow down", needs_person=False),
    ),
    "too many calls, and a time to come back": (
        base.RateLimited("slow down", retry_after=7.5),
        Refused(Reason.RATE_LIMITED, "slow down", needs_person=False, retry_after=timedelta(seconds=7.5)),
    ),
    "too many calls, and come back at once": (
        base.RateLimited("slow down", retry_after=0),
        Refused(Reason.RATE_LIMITED, "slow down", needs_person=False, retry_after=timedelta()),
    ),
    "the provider is away": (
        base.Unavailable("HTTP 503"),
        Refused(Reason.PROVIDER_UNAVAILABLE, "HTTP 503", needs_person=False),
    ),
    "the provider is left alone for a while": (
        base.CircuitOpen("nothing is sent", retry_after=20),
        Refused(Reason.CIRCUIT_OPEN, "nothing is sent", needs_person=False, retry_after=timedelta(seconds=20)),
    ),
    "its answer was not complete": (
        base.IncompleteListing("page 2 is missing"),
        Refused(Reason.PROVIDER_UNAVAILABLE, "page 2 is missing", needs_person=False),
    ),
    "it has none to sell": (
        base.OutOfCapacity("none left"),
        Refused(Reason.INSUFFICIENT_RESOURCE, "none left", needs_person=False),
    ),
    "it refuses the key": (base.Unauthorized("bad key"), Refused(Reason.UNAUTHORIZED, "bad key", needs_person=True)),
    "it refuses the request": (base.Rejected("no"), Refused(Reason.REQUEST_REJECTED, "no", needs_person=True)),
    "it refuses the request, and says why": (
        base.Rejected("no money", reason=Reason.BALANCE_NOT_ENOUGH),
        Refused(Reason.BALANCE_NOT_ENOUGH, "no money", needs_person=True),
    ),
    "an error of a kind that is not known here": (
        base.ProviderError("odd"),
        Refused(Reason.PROVIDER_UNAVAILABLE, "odd", needs_person=False),
    ),
}


@pytest.mark.parametrize("action", ACTIONS, ids=name_of)
@pytest.mark.parametrize(("error", "expected"), ALIKE.values(), ids=ALIKE)
async def test_errors_mean_the_same_for_every_action(
    action: Action, error: base.ProviderError, expected: Answer
) -> None:
    """By their consequence: look, wait, or ask a person."""
    assert await outcome(action, error) == expected


@pytest.mark.parametrize("action", OTHERS, ids=name_of)
async def test_a_machine_that_does_not_exist_is_an_old_picture(action: Action) -> None:
    """Whether it is lost is for the next look to say."""
    assert await outcome(action, base.NotFound("no such machine")) == Outdated("no such machine")


async def test_removing_what_is_gone_has_succeeded() -> None:
    """Deletion is wanted to end, not to be argued about; the next look confirms it."""
    assert await outcome(Delete("m-1"), base.NotFound("no such machine")) == Accepted()


async def test_a_purchase_that_refers_to_nothing_needs_a_person() -> None:
    """A product, region or image is missing, and waiting brings none of them."""
    error = base.NotFound("no such image", reason=Reason.IMAGE_REJECTED)
    assert await outcome(Create(order()), error) == Refused(Reason.IMAGE_REJECTED, "no such image", needs_person=True)


EVERY_ERROR = [kind for kind in vars(base).values() if isinstance(kind, type) and issubclass(kind, base.ProviderError)]


@pytest.mark.parametrize("action", ACTIONS, ids=name_of)
@pytest.mark.parametrize("kind", EVERY_ERROR, ids=name_of)
async def test_nothing_that_a_provider_can_cause_is_raised(action: Action, kind: type[base.ProviderError]) -> None:
    """Every error has an answer, and only a lost answer is unclear: it alone may have changed something."""
    answer = await outcome(action, kind("words for people"))
    assert isinstance(answer, Unclear) is (kind is base.UnknownOutcome)
    assert isinstance(answer, Accepted) is (kind is base.NotFound and isinstance(action, Delete))
    assert getattr(answer, "message", "words for people") == "words for people"


async def test_a_purchase_may_tell_no_id() -> None:
    """Some providers take an order on without naming the machine: that is an acceptance all the same."""
    assert await act(cast("Provider", Recorder(None)), Create(order())) == Accepted(None)


async def test_a_bug_is_not_taken_for_an_answer() -> None:
    """Whatever is not the provider's doing ends the pass: looking finds out what became of the call."""
    with pytest.raises(KeyError):
        await outcome(Start("m-1"), KeyError("a bug"))
