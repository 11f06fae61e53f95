"""Settings of Hypothesis: the same examples every time, so that a red build is red for everybody.

`HYPOTHESIS_PROFILE=explore` looks for new ones, for as long as you like.
"""

from __future__ import annotations

import logging
import os

import structlog
from hypothesis import HealthCheck, Phase, settings

_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "ci", max_examples=100, derandomize=True, deadline=None, database=None, print_blob=True, suppress_health_check=_CALM
)
settings.register_profile(
    "explore",
    settings.get_profile("ci"),
    derandomize=False,
    max_examples=3000,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Tens of thousands of passes run here: their one line a transition would only cost time.
structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    processors=[structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer()],
)
