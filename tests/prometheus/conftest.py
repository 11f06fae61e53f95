"""What the tests of alerts and dashboard share: the real promtool, and the rules as it reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.controlplane.progress import Report
from tests.prometheus.build import ensure
from tests.prometheus.rules import spec


@pytest.fixture(scope="session")
def program(report: Report) -> Path:
    """promtool, built on first use."""
    return ensure(report)


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with the rules, as a rule file."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(dict(spec())))
    return tmp_path
