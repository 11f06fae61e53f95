"""When a restarted operator counts as having looked at everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.bench.phases import restart
from tests.bench.run import Run
from tests.bench.scrape import Scrape
from tests.bench.table import Row


class FakeOperator:
    """Is ready at its second look, and has answers for each scrape after that."""

    def __init__(self, answers: Sequence[tuple[int, int]]) -> None:
        self.story: list[str] = []
        self.child = SimpleNamespace(check=lambda: None)
        self._answers = iter(answers)
        self._looks = 0

    @property
    def ready(self) -> bool:
        """As /readyz would say."""
        self._looks += 1
        return self._looks > 1

    def stop(self) -> None:
        """Remember it."""
        self.story.append("stopped")

    def start(self, **env: str) -> None:
        """Remember with what."""
        self.story.append(f"started with {env['KUBECONFIG']}")

    def scrape(self) -> Scrape:
        """Answer as /metrics would."""
        passes, waiting = next(self._answers)
        self.story.append("scraped")
        return Scrape(f'gpuinstance_passes_total{{result="done"}} {passes}\ngpuinstance_queue_depth {waiting}\n')


def rows(operator: FakeOperator, size: int = 100) -> Iterator[Row]:
    """Return what is measured at an operator."""
    stack: Any = SimpleNamespace(operator=operator, operator_kubeconfig=lambda: "config")
    run: Any = SimpleNamespace(size=size, stack=stack, scrape=operator.scrape, by_size=lambda *_: 0.0)
    return restart.measure(cast("Run", run))


@pytest.mark.parametrize(
    ("answers", "looks"),
    [
        ([(100, 0)], 1),
        ([(40, 60), (99, 0), (100, 0)], 3),
        ([(100, 1), (101, 0)], 2),  # one had two, another none yet
    ],
)
def test_all_have_had_a_pass_and_none_waits(answers: Sequence[tuple[int, int]], looks: int) -> None:
    """As many passes as instances are not enough: some may have had two."""
    operator = FakeOperator(answers)
    stopped, observed, ready = rows(operator)
    assert operator.story == ["stopped", "started with config", *["scraped"] * looks]
    assert 0 <= ready.value <= observed.value
    assert stopped.limit is None
