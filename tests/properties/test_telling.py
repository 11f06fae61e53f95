"""Whatever the receivers do and whenever the operator dies: nothing is lost without being counted, order is kept."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from gpuinstance.core import outbox
from gpuinstance.core.outbox import MOST_PENDING
from gpuinstance.notify import Result
from tests.properties.telling import NAMES, Story

TROUBLES = [Result.REFUSED, Result.SLOWED, Result.UNREACHABLE]

STEPS = st.one_of(
    st.just(("happens",)),
    st.just(("happens and dies",)),
    st.just(("looks",)),
    st.just(("looks and dies",)),
    st.just(("dies",)),
    st.just(("answer is lost",)),
    st.tuples(st.just("waits"), st.sampled_from([0.01, 0.06, 1.0, 10.0, 300.0])),
    st.tuples(st.just("fails"), st.sampled_from(NAMES), st.sampled_from(TROUBLES)),
    st.tuples(st.just("heals"), st.sampled_from(NAMES)),
)


def act(story: Story, step: tuple[object, ...]) -> None:
    match step:
        case (("happens" | "happens and dies") as how,):
            story.wait(1)  # two things that are the same in all they say do not happen at the same moment
            story.look(happens=True, dies=how.endswith("dies"))
        case (("looks" | "looks and dies") as how,):
            story.look(dies=how.endswith("dies"))
        case ("dies",):
            story.die()
        case ("answer is lost",):
            story.answer_is_lost = True
        case ("waits", float(seconds)):
            story.wait(seconds)
        case ("fails", str(name), Result() as trouble):
            story.answers[name] = trouble
        case ("heals", str(name)):
            story.answers.pop(name, None)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=60), st.sampled_from([1, 2, 4, MOST_PENDING]))
def test_nothing_is_lost_and_order_is_kept(steps: list[tuple[object, ...]], most: int) -> None:
    """At least once, in order of the first arrival, under one id; what was dropped is told or shown as a number.

    A box of any size; what was taken without an answer may be counted as dropped, and never the other way round.
    """
    with patch.object(outbox, "MOST_PENDING", most):
        run(steps, most)


def run(steps: list[tuple[object, ...]], most: int) -> None:
    story = Story()
    try:
        for step in steps:
            act(story, step)
            assert len(story.status.pending_notifications) <= most
        story.answers.clear()
        for _ in range(3):
            story.look()
            story.wait(7200)
        story.look()
        assert story.status.pending_notifications == []
        left = {trouble.name: trouble.missed or 0 for trouble in story.status.notification_troubles}
        for name, taken in story.taken.items():
            first = list(dict.fromkeys(it.number for it in taken))
            assert first == sorted(first)
            assert len({it.id for it in taken}) == len(first), "one id for each, however often it was delivered"
            told = sum({it.id: it.missed for it in taken}.values()) + left.get(name, 0)
            assert len(first) + told >= story.happened
            assert len(first) + told == story.happened or story.lost_answers
        assert all(trouble.message is None for trouble in story.status.notification_troubles)
    finally:
        story.close()


def test_at_rest_nothing_is_written() -> None:
    """A delivery costs one further write, however many notifications follow each other at once."""
    story = Story()
    try:
        for _ in range(4):
            story.look(happens=True)
            story.wait(1)
        assert story.writes == 4
        story.wait(10)
        story.look()
        assert story.writes == 5
        for _ in range(10):
            story.look()
            story.wait(60)
        assert story.writes == 5
    finally:
        story.close()
