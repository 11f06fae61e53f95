"""`kubectl gpu abandon`: nothing happens before the name is typed, and then exactly what was announced."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from gpuinstance.api.v1alpha1 import GPUInstance, ObjectMeta
from gpuinstance.cli import command
from gpuinstance.cli.abandon import abandon
from gpuinstance.cli.cluster import Cluster
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.screen import Screen
from tests.unit.cli import objects
from tests.unit.cli.objects import Object

REHEARSED = [("rehearse", {"deletionPolicy": "Orphan"}), ("rehearse", "delete")]
DONE = [*REHEARSED, ("patch", {"deletionPolicy": "Orphan"}), ("delete", "trainer")]


@dataclass
class Asked:
    """A cluster that notes what it is asked to change; it refuses from the given call on."""

    body: Object = field(default_factory=objects.ready)
    refuses_at: int | None = None
    changes: list[tuple[str, Any]] = field(default_factory=list)
    namespace: str = "team-a"

    def instance(self, namespace: str, name: str) -> Object:
        """Return the one object that there is."""
        assert (namespace, name) == ("team-a", "trainer")
        return self.body

    def patch_spec(self, of: ObjectMeta, changes: Object, *, rehearse: bool = False) -> None:
        """Note it."""
        assert of.uid == self.body["metadata"]["uid"]
        self._note("rehearse" if rehearse else "patch", changes)

    def delete(self, of: ObjectMeta, *, rehearse: bool = False) -> None:
        """Note it."""
        assert of.uid == self.body["metadata"]["uid"]
        self._note(*(("rehearse", "delete") if rehearse else ("delete", of.name)))

    def close(self) -> None:
        """Close."""

    def _note(self, verb: str, what: Any) -> None:
        if len(self.changes) == self.refuses_at:
            raise Trouble("the cluster refused: you may not")
        self.changes.append((verb, what))


def told(cluster: Asked, typed: str | None) -> tuple[str, str]:
    """Abandon the object, typing this; return the explanation and the result."""
    out = io.StringIO()
    instance = GPUInstance.model_validate(cluster.body)
    result = abandon(cast("Cluster", cluster), instance, Screen(out, width=1000), lambda: typed)
    return out.getvalue(), result


def test_it_says_what_stays_behind_before_it_asks() -> None:
    """The machine by its id and name at the provider, what it costs, and that nobody will look after it."""
    explanation, result = told(Asked(), "trainer\n")
    assert "team-a/trainer is about to be deleted WITHOUT its machine." in explanation
    assert "machine 5f1c (gpui-team-a-trainer-943a2f83-1, RTX 4090 24GB)" in explanation
    assert "billed on, at $1.4/h when it was bought, until somebody removes it in novita's console" in explanation
    assert "machine 5f1c" in result


def test_a_machine_that_nobody_has_recorded_is_not_denied() -> None:
    """A status without a machine does not say that none was bought."""
    explanation, result = told(Asked(objects.stuck()), "trainer")
    assert "whatever was bought for it (none is recorded)" in explanation
    assert "whatever was bought for it" in result


def test_it_is_rehearsed_and_then_done() -> None:
    """Orphan first: deleted under another policy the object would wait for its machine."""
    cluster = Asked()
    told(cluster, "trainer")
    assert cluster.changes == DONE


@pytest.mark.parametrize("typed", [None, "", "\n", "Trainer", "trainer2", "yes", "team-a/trainer"])
def test_nothing_is_changed_before_the_name_is_typed(typed: str | None) -> None:
    """Neither by a script that nobody watches, nor by a slip of the hand."""
    cluster = Asked()
    with pytest.raises(Trouble, match="nothing was changed") as caught:
        told(cluster, typed)
    assert caught.value.code is Exit.NOT_CONFIRMED
    assert cluster.changes == []


def test_a_protected_instance_is_not_abandoned() -> None:
    """Its protection is taken off by hand first; nobody is asked for a name in vain."""
    cluster = Asked()
    cluster.body["spec"]["deletionProtection"] = True
    with pytest.raises(Trouble, match=r"deletionProtection: set it to false first") as caught:
        told(cluster, "trainer")
    assert caught.value.code is Exit.FAILED
    assert cluster.changes == []


@pytest.mark.parametrize("call", [0, 1, 2])
def test_who_may_not_do_one_of_both_changes_nothing(call: int) -> None:
    """The policy is not left at Orphan by somebody who may change the object and not delete it."""
    cluster = Asked(refuses_at=call)
    with pytest.raises(Trouble, match="you may not"):
        told(cluster, "trainer")
    assert cluster.changes == DONE[:call]
    assert all(verb == "rehearse" for verb, _ in cluster.changes)


def test_half_of_it_is_not_kept_secret() -> None:
    """A deletion that fails after the change of the policy says that the policy has changed."""
    with pytest.raises(Trouble, match="is Orphan by now, but it was not deleted: the cluster refused"):
        told(Asked(refuses_at=3), "trainer")


class Typed(io.StringIO):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        """Say so."""
        return True


STDIN = {
    "typed at a terminal": ([], Typed("trainer\n"), Exit.OK),
    "something else typed": ([], Typed("no\n"), Exit.NOT_CONFIRMED),
    "end of file at a terminal": ([], Typed(""), Exit.NOT_CONFIRMED),
    "piped in, by whatever program": ([], io.StringIO("trainer\n"), Exit.NOT_CONFIRMED),
    "no standard input": ([], None, Exit.NOT_CONFIRMED),
    "given by a script": (["--confirm", "trainer"], None, Exit.OK),
    "another name given by a script": (["--confirm", "other"], Typed("trainer\n"), Exit.NOT_CONFIRMED),
}


@pytest.mark.parametrize(("argv", "stdin", "code"), STDIN.values(), ids=STDIN)
def test_how_the_name_is_confirmed(
    argv: list[str], stdin: io.StringIO | None, code: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal it is asked for; --confirm is for scripts; what comes through a pipe was not typed."""
    cluster = Asked()
    monkeypatch.setattr(command, "Cluster", lambda **_: cluster)
    out, err = io.StringIO(), io.StringIO()
    if stdin is not None:
        stdin.seek(0)
    assert command.run(["abandon", "gpui/trainer", *argv], out, err, {}, stdin=stdin) == code
    assert cluster.changes == (DONE if code is Exit.OK else [])
    assert ("is abandoned" in out.getvalue()) is (code is Exit.OK)
    asked = isinstance(stdin, Typed) and not argv
    assert ("Type the name of the instance to go on: " in err.getvalue()) is asked
