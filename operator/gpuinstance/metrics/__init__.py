"""Every collector, named once, on a registry of its own, behind methods that say what happened.

Called from everywhere; knows nobody. Labels are closed sets, so the number of series does not grow with the
number of objects: only the money tells namespaces apart, and only the first hundred. `docs/metrics.md` is
generated from what is declared here, and a test holds the list against what a running operator shows.

    families   declaring, and bounding words
    work       passes, writes, audits             calls      providers and endpoints
    stories    what became of objects             scraped    what is asked for at a scrape
    notifying  deliveries of notifications
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder

from gpuinstance.metrics.calls import Calls
from gpuinstance.metrics.families import OTHER, PREFIX, Families, Family
from gpuinstance.metrics.instances import Object
from gpuinstance.metrics.notifying import Notifying
from gpuinstance.metrics.scraped import Scraped
from gpuinstance.metrics.stories import Stories
from gpuinstance.metrics.work import Work

__all__ = ["OTHER", "PREFIX", "Family", "Metrics", "Object"]


class Metrics(Work, Calls, Stories, Notifying, Scraped):
    """The operator's metrics. Use one per process; `render` is what a scrape gets.

    `clock` returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        families = Families(clock)
        super().__init__(families)  # each part declares its own, the last one first
        self.registry = families.registry
        ProcessCollector(registry=self.registry)

    @property
    def families(self) -> Sequence[Family]:
        """All metrics that can be shown, beside the `process_…` ones of the client library."""
        return tuple(self._families.declared)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics as text, and its content type, in the best format that `accept` allows."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
