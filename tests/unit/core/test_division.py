"""The division of objects among leaders: complete, even, stable for ever, and known by the names of Leases."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuinstance.core.division import MOST_SHARDS, Division, division_of

counts = st.integers(1, MOST_SHARDS)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63)


@st.composite
def divisions(draw: st.DrawFn) -> Division:
    count = draw(counts)
    return Division(draw(st.integers(0, count - 1)), count)


@given(counts, names, names)
def test_each_object_is_in_one_part(count: int, namespace: str, name: str) -> None:
    """Of any number of parts: in one of them, and in no second one."""
    assert sum(Division(index, count).holds(namespace, name) for index in range(count)) == 1


@given(divisions(), divisions(), names, names)
def test_parts_that_share_an_object_overlap(one: Division, other: Division, namespace: str, name: str) -> None:
    """So whoever looks only at what overlaps overlooks nobody."""
    if one.holds(namespace, name) and other.holds(namespace, name):
        assert one.overlaps(other)
        assert other.overlaps(one)


def test_parts_that_overlap_share_an_object() -> None:
    """And nobody is waited for in vain: two parts of one number never overlap, those of two numbers may."""
    objects = [f"trainer-{number}" for number in range(500)]
    parts = [Division(index, count) for count in range(1, 6) for index in range(count)]
    for one in parts:
        for other in parts:
            shared = any(one.holds("default", it) and other.holds("default", it) for it in objects)
            assert one.overlaps(other) == shared, (one, other)


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_parts_are_even(count: int) -> None:
    """Ten thousand objects with names as people give them, in a few namespaces."""
    objects = [(f"team-{number % 7}", f"worker-{number}") for number in range(10_000)]
    sizes = Counter(next(i for i in range(count) if Division(i, count).holds(*it)) for it in objects)
    assert all(abs(sizes[index] - 10_000 / count) < 0.1 * 10_000 / count for index in range(count))


def test_the_division_never_changes() -> None:
    """Two versions that divide differently would both take an object for their own."""
    for name, of_two, of_three, of_many in (("trainer", 1, 0, 53), ("web", 0, 2, 36), ("a", 0, 2, 46)):
        assert Division(of_two, 2).holds("default", name)
        assert Division(of_three, 3).holds("default", name)
        assert Division(of_many, 64).holds("default", name)


@given(divisions())
def test_a_lease_is_known_by_its_name(division: Division) -> None:
    """The undivided whole has the name that it had before there were shards."""
    assert division_of(division.lease_name("operator"), "operator") == division
    assert Division().lease_name("operator") == "operator"


@pytest.mark.parametrize(
    "name",
    [
        "other",
        "operator-",
        "operator-1",
        "operator-3-of-3",
        "operator-0-of-1",
        "operator-0-of-0",
        "operator-01-of-3",
        "operator-1-of-3-x",
        "other-operator-1-of-3",
        "operator-1-of-99999",
    ],
)
def test_leases_of_others_are_none_of_the_family(name: str) -> None:
    """Whatever is not exactly such a name belongs to somebody else."""
    assert division_of(name, "operator") is None
