"""The crunching of numbers: percentiles of values, and quantiles of a histogram's buckets. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not less than a share of all (nearest rank); 0 where there are none."""
    ordered = sorted(values)
    # Rounded first: 0.95 times 20 is a little more than 19.
    rank = max(1, math.ceil(round(share * len(ordered), 9)))
    return ordered[rank - 1] if ordered else 0.0


def histogram_quantile(buckets: Mapping[float, float], share: float) -> float:
    """Return the upper bound of the bucket in which the quantile lies; 0 where nothing was counted.

    `buckets` are cumulative counts by upper bound, infinity included, as Prometheus has them.
    """
    counts = sorted(buckets.items())
    if not counts or counts[-1][1] <= 0:
        return 0.0
    wanted = counts[-1][1] * share
    return next(bound for bound, count in counts if count >= wanted)
