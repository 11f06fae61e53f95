"""What the properties share: silence."""

from __future__ import annotations

import logging

import structlog

# Tens of thousands of passes run here: their one line a transition would only cost time.
structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    processors=[structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer()],
)
