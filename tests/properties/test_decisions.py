"""What holds for every snapshot: for those that come about, and for those that make no sense."""

from __future__ import annotations

from hypothesis import event, given, note, settings

from gpuinstance.core.decide import RULES
from gpuinstance.core.snapshot import Snapshot
from tests.properties.deciding import decided
from tests.properties.likely import likely_snapshots
from tests.properties.promises import PROMISES
from tests.properties.strategies import snapshots

EXAMPLES = settings().max_examples
"""As many as the profile says; a snapshot is cheap, so that more of them are tried."""


@settings(max_examples=5 * EXAMPLES)
@given(likely_snapshots())
def test_likely_snapshots_keep_every_promise(snapshot: Snapshot) -> None:
    """A known state, a few edits, a machine somewhere on its way: every promise is kept."""
    keep_promises(snapshot)


@settings(max_examples=3 * EXAMPLES)
@given(snapshots())
def test_absurd_snapshots_keep_every_promise(snapshot: Snapshot) -> None:
    """Whatever stands in the status, whoever wrote it: every promise is kept."""
    keep_promises(snapshot)


def keep_promises(snapshot: Snapshot) -> None:
    seen, decision = decided(snapshot)
    event(decision.rule)
    assert decision.rule in {rule.__name__ for rule in RULES}
    for promise in PROMISES:
        note(f"{promise.__name__}, decided by {decision.rule}")
        promise(seen, decision)
