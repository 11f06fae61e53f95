"""Names of machines: ours are recognised exactly, and nothing that only looks like one."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.core.model import Listing
from gpuinstance.core.naming import Identity
from tests.builders import IDENTITY, NOW, UID, machine

OTHER_UID = "00000000-0c5e-4d6a-9b7e-1f2a3b4c5d6e"


def identity(namespace: str, name: str, uid: str = UID, mark: str = "gpui") -> Identity:
    return Identity.of(ObjectMeta(namespace=namespace, name=name, uid=uid), mark=mark)


def test_a_name_tells_people_whose_machine_it_is() -> None:
    """Mark of the cluster, namespace and name, the start of the uid, and the number of the purchase."""
    assert identity("default", "trainer").name(1) == "gpui-default-trainer-943a2f83-1"
    assert identity("default", "trainer", mark="prod").name(12) == "prod-default-trainer-943a2f83-12"
    assert re.fullmatch(r"gpui-team-a-trainer-[0-9a-f]{8}-943a2f83-1", identity("team-a", "trainer").name(1))


_label = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
_subdomain = st.lists(_label, min_size=1, max_size=4).map(".".join)
_uids = st.uuids().map(str)
_properties = settings(derandomize=True, database=None, deadline=None)


@_properties
@given(_label, _subdomain, _uids, st.integers(1, 10**6))
def test_every_object_gets_names_that_providers_accept(namespace: str, name: str, uid: str, attempt: int) -> None:
    """Letters, digits and single runs of hyphens, short enough, and read back as what was written."""
    ours = identity(namespace, name, uid)
    made = ours.name(attempt)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]", made)
    assert len(made) <= 90
    assert ours.attempt_of(made) == attempt
    assert not ours.is_namesake(made)


@_properties
@given(_label, _subdomain, st.uuids(), st.uuids())
def test_a_later_object_of_the_same_name_sees_a_namesake(namespace: str, name: str, old: UUID, new: UUID) -> None:
    """The machine of its former life is not its own, and it is warned."""
    if old.hex[:8] != new.hex[:8]:
        left_over = identity(namespace, name, str(old)).name(1)
        now = identity(namespace, name, str(new))
        assert now.attempt_of(left_over) is None
        assert now.is_namesake(left_over)


@pytest.mark.parametrize("attempt", [1, 2, 10, 4711])
def test_the_attempt_is_read_back(attempt: int) -> None:
    """Whatever number a name of ours was made with."""
    assert IDENTITY.attempt_of(f"gpui-default-trainer-943a2f83-{attempt}") == attempt


STRANGERS = {
    "no number": "gpui-default-trainer-943a2f83-",
    "not even a hyphen": "gpui-default-trainer-943a2f83",
    "no number but a word": "gpui-default-trainer-943a2f83-x",
    "more behind the number": "gpui-default-trainer-943a2f83-1-old",
    "a space behind the number": "gpui-default-trainer-943a2f83-1 ",
    "a sign before the number": "gpui-default-trainer-943a2f83--1",
    "purchases count from 1": "gpui-default-trainer-943a2f83-0",
    "a number with a leading zero is a name that was never given": "gpui-default-trainer-943a2f83-01",
    "digits of another script": "gpui-default-trainer-943a2f83-\u0661",
    "a number that nothing ever counted to": f"gpui-default-trainer-943a2f83-{'9' * 5000}",
    "another uid": "gpui-default-trainer-943a2f84-1",
    "a shortened uid": "gpui-default-trainer-943a2f8-1",
    "another name": "gpui-default-trainer2-943a2f83-1",
    "a name that goes on": "gpui-default-trainer-b-943a2f83-1",
    "another namespace": "gpui-team-trainer-943a2f83-1",
    "another cluster's mark": "gpui2-default-trainer-943a2f83-1",
    "something before the mark": "x-gpui-default-trainer-943a2f83-1",
    "another case": "GPUI-default-trainer-943a2f83-1",
    "nothing": "",
    "a name that a user chose": "trainer",
}


@pytest.mark.parametrize("name", STRANGERS.values(), ids=STRANGERS)
def test_what_only_looks_like_ours_is_not_ours(name: str) -> None:
    """Such a machine is never adopted, started, stopped or deleted."""
    assert IDENTITY.attempt_of(name) is None
    assert IDENTITY.ours([machine(name=name)]) == ()


NAMESAKES = {
    "the same object's former life": ("gpui-default-trainer-00000000-1", True),
    "a later purchase of it": ("gpui-default-trainer-00000000-12", True),
    "our own machine": ("gpui-default-trainer-943a2f83-1", False),
    "another cluster, which has objects of its own": ("prod-default-trainer-00000000-1", False),
    "another object": ("gpui-default-other-00000000-1", False),
    "an object whose name begins like ours": ("gpui-default-trainer-b-00000000-1", False),
    "no uid": ("gpui-default-trainer-1", False),
    "what a user made by hand": ("gpui-default-trainer-old", False),
    "something that is not a uid": ("gpui-default-trainer-0000000g-1", False),
    "more behind it": ("gpui-default-trainer-00000000-1-old", False),
}


@pytest.mark.parametrize(("name", "expected"), NAMESAKES.values(), ids=NAMESAKES)
def test_a_namesake_is_the_same_object_in_another_life(name: str, *, expected: bool) -> None:
    """Same cluster, namespace and name, another uid: as after a restored backup."""
    assert IDENTITY.is_namesake(name) is expected


NEIGHBOURS = {
    "the hyphen is elsewhere": (("a", "b-c"), ("a-b", "c")),
    "a dot is not a hyphen": (("a", "b.c"), ("a", "b-c")),
    "they differ only where a long name is cut": (("a", "x" * 70 + "-1"), ("a", "x" * 70 + "-2")),
    "one is as the other would be cut": (("a", "x" * 58), ("a", "x" * 59)),
}


@pytest.mark.parametrize(("one", "other"), NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_two_living_objects_are_never_namesakes(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Else the second would buy nothing, and ask for the removal of the first one's machine."""
    theirs = identity(*other, uid=OTHER_UID).name(1)
    assert not identity(*one).is_namesake(theirs)
    assert not identity(*other, uid=OTHER_UID).is_namesake(identity(*one).name(1))


def test_ours_are_given_newest_purchase_first() -> None:
    """By the number of the purchase, not as text; what is not ours is left out."""
    listed = [
        machine("m-2", attempt=2),
        machine("m-x", name="gpui-default-trainer-00000000-3"),
        machine("m-10", attempt=10),
        machine("m-b", attempt=1),
        machine("m-a", attempt=1),
    ]
    assert [found.id for found in IDENTITY.ours(listed)] == ["m-10", "m-2", "m-a", "m-b"]
    assert IDENTITY.ours(reversed(listed)) == IDENTITY.ours(listed)


_names = st.sampled_from([IDENTITY.name(1), IDENTITY.name(12), "gpui-default-trainer-00000000-3", "trainer", "-", ""])


@_properties
@given(st.lists(st.tuples(st.sampled_from(["m-1", "m-2", "m-3"]), _names | st.text("gpui-9adeflrtn", max_size=40))))
def test_a_listing_finds_at_once_what_a_search_would_find(shown: list[tuple[str, str]]) -> None:
    """Ours, our namesakes, and a machine by its id, whatever else the account holds."""
    machines = tuple(machine(machine_id, name=name) for machine_id, name in shown)
    listing = Listing(machines, NOW)
    alike = listing.with_stem(IDENTITY.family)
    assert IDENTITY.ours(alike) == IDENTITY.ours(machines)
    assert [it for it in alike if IDENTITY.is_namesake(it.name)] == [
        it for it in machines if IDENTITY.is_namesake(it.name)
    ]
    assert list(listing.with_id("m-2")) == [it for it in machines if it.id == "m-2"]
