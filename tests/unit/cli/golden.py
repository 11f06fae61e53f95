"""Whole screens, kept as files in tests/golden/cli/screens, so that a change of what people see is seen in review.

`REWRITE_GOLDEN=1 pytest tests/unit/cli` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

_DIRECTORY = Path(__file__).parents[2] / "golden" / "cli" / "screens"


def assert_golden(name: str, shown: str) -> None:
    """Assert that a screen looks as it did."""
    path = _DIRECTORY / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(shown)
    assert shown == path.read_text()
