"""The site, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site_sources import build, lay_out


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site. Building it fails with the first warning."""
    target = tmp_path_factory.mktemp("docs")
    lay_out(target)
    assert "No issues found" in build(target)
    return target / "site"
