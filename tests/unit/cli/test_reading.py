"""Looks at objects beside the one that a screen is about."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gpuinstance.cli.cluster import Cluster
from gpuinstance.cli.endings import ClusterTrouble
from gpuinstance.cli.reading import SERVICES, look, look_all


class Refusing:
    """A cluster that answers everything with one status."""

    def __init__(self, status: int | None) -> None:
        self._trouble = ClusterTrouble("the cluster refused: not now", status=status)

    def get(self, *_: Any, **__: Any) -> None:
        """Refuse."""
        raise self._trouble

    def list(self, *_: Any, **__: Any) -> None:
        """Refuse."""
        raise self._trouble


WORDS = {
    404: "does not exist",
    403: "you may not read it",
    500: "could not be read: the cluster refused: not now",
    520: "could not be read: the cluster refused: not now",
}


@pytest.mark.parametrize("status", WORDS)
def test_a_look_that_is_refused_costs_a_line(status: int) -> None:
    """Also with a status that no standard knows, as gateways before an API server send them."""
    cluster = cast("Cluster", Refusing(status))
    assert look(cluster, SERVICES, "team-a", "trainer").words == WORDS[status]
    assert look_all(cluster, SERVICES, "team-a") == []


@pytest.mark.parametrize("status", [None, 401])
def test_a_cluster_that_is_not_there_ends_it(status: int | None) -> None:
    """Nothing else could be seen, either."""
    cluster = cast("Cluster", Refusing(status))
    with pytest.raises(ClusterTrouble, match="not now"):
        look(cluster, SERVICES, "team-a", "trainer")
