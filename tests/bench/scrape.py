"""One look at the operator's metrics. A scrape of 10,000 objects costs the operator time: take one, ask it often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.bench.numbers import histogram_quantile


@dataclass(frozen=True, slots=True)
class Scrape:
    """The text of /metrics at one moment."""

    text: str

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name that carry all these labels."""
        return sum(it.value for it in self._samples(name) if labels.items() <= it.labels.items())

    def quantile(self, name: str, share: float, before: Scrape | None = None) -> float:
        """Return a quantile of the histogram of this name, of what was counted after `before`."""
        then = {} if before is None else before._buckets(name)
        return histogram_quantile(
            {bound: count - then.get(bound, 0.0) for bound, count in self._buckets(name).items()}, share
        )

    def _buckets(self, name: str) -> Mapping[float, float]:
        found: dict[float, float] = {}
        for it in self._samples(f"{name}_bucket"):
            bound = float(it.labels["le"])
            found[bound] = found.get(bound, 0.0) + it.value
        return found

    def _samples(self, name: str) -> Iterator[Sample]:
        # Only these lines are parsed: all of them take longer than the scrape.
        lines = [line for line in self.text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            yield from family.samples
