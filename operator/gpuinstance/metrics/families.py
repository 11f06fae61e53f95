"""The registry: every collector is declared here, once, with its words bounded and its text kept for the docs.

Used by the other rooms of this package only. A label is a closed set of words, or is made one: should somebody
ever pass the name of an object, memory and Prometheus are safe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

PREFIX = "gpuinstance_"

OTHER = "other"
"""What a label says once a word would be one too many."""

_MOST_WORDS = 64
"""Words that one label may take. All are names of rules, operations, reasons and errors, so this many are
never reached."""

# Otherwise each series has a second one, which says when the process began to count it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it without types


@dataclass(frozen=True, slots=True)
class Family:
    """What is said about one metric."""

    name: str
    """As it is queried: a counter's ends in `_total`."""
    kind: str
    """`counter`, `gauge` or `histogram`."""
    labels: tuple[str, ...]
    text: str
    """One or more sentences: what it measures, in which unit."""


class Bounded:
    """Words as they come, until there are too many; then `other`. A word that was known once stays known."""

    def __init__(self, most: int = _MOST_WORDS) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, word: str) -> str:
        """Return the word, or `other` in its place."""
        if word not in self._known and len(self._known) >= self._most:
            return OTHER
        self._known.add(word)
        return str(word)


class Families:
    """All metrics of one process. `clock` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.registry = CollectorRegistry()
        self.declared: list[Family] = []
        self._words: dict[tuple[int, int], Bounded] = {}

    def counter(self, name: str, text: str, *labels: str, starts_with: Iterable[tuple[str, ...]] = ()) -> Counter:
        """Declare a counter. Series in `starts_with` are there from the beginning, at zero.

        The first increment of a series that was not there before is invisible to `increase()`: whatever an alert
        looks at should start with its words.
        """
        self._declare(f"{name}_total", "counter", labels, text)
        counter = Counter(f"{PREFIX}{name}", text, labels, registry=self.registry)
        for words in starts_with:
            self.of(counter, *words)
        return counter

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        """Declare a histogram with these upper bounds."""
        self._declare(name, "histogram", labels, text)
        return Histogram(f"{PREFIX}{name}", text, labels, buckets=buckets, registry=self.registry)

    def scraped(self, name: str, kind: str, text: str, *labels: str) -> Family:
        """Declare a metric that is computed when somebody asks; its collector is registered by whoever computes it."""
        return self._declare(name, kind, labels, text)

    def add(self, counter: Counter, *words: str) -> None:
        """Count one more."""
        self.of(counter, *words).inc()

    def of(self, collector: Any, *words: str) -> Any:
        """Return the series with these label values, each one of a bounded number of words."""
        return collector.labels(*(self._bounded(id(collector), n, word) for n, word in enumerate(words)))

    def _bounded(self, collector: int, position: int, word: str) -> str:
        return self._words.setdefault((collector, position), Bounded())(word)

    def _declare(self, name: str, kind: str, labels: tuple[str, ...], text: str) -> Family:
        family = Family(f"{PREFIX}{name}", kind, labels, text)
        self.declared.append(family)
        return family


class Part:
    """A room of this package: it declares the metrics of one subject and has a method for each thing that happens."""

    def __init__(self, families: Families) -> None:
        self._families = families
