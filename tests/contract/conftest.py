"""Lets failed assertions in the rooms of the contract suite show their values, as those in tests do."""

import pytest

for room in ("bench", "hooks", "life", "catalogue", "refusals", "changes", "reads", "sights", "rebuilds", "upgrades"):
    pytest.register_assert_rewrite(f"tests.contract.{room}")
