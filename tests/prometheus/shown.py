"""What a page of metrics says, one line a metric: name, type, labels, text. The form of tests/golden/metrics.txt."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from gpuinstance.metrics import Metrics

_OF_THE_LIBRARY = "process_"


def shown(pages: Iterable[str]) -> list[str]:
    """Return the lines for pages that were scraped one after the other.

    A metric without any series shows no labels; of several pages the one with the most is taken.
    """
    found: dict[str, tuple[str, set[str], str]] = {}
    for page in pages:
        for family in text_string_to_metric_families(page):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            _, labels, _ = found.setdefault(name, (family.type, set(), family.documentation))
            for sample in family.samples:
                labels |= set(sample.labels) - {"le"}
    return sorted(line(name, kind, labels, text) for name, (kind, labels, text) in found.items())


def declared() -> list[str]:
    """Return the lines for all that the operator can show."""
    metrics = Metrics()
    own = [line(it.name, it.kind, it.labels, it.text) for it in metrics.families]
    library = [it for it in shown([metrics.render()[0].decode()]) if it.startswith(_OF_THE_LIBRARY)]
    return sorted(own + library)


def line(name: str, kind: str, labels: Iterable[str], text: str) -> str:
    """Return one line."""
    return f"{name} {kind} {{{','.join(sorted(labels))}}} {text}"
