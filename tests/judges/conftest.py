"""One namespace of the shared API server for all judges, with no operator in sight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.judges.live import Live
from tests.rig.stack import install

NAMESPACE = "judges"


@pytest.fixture(scope="package")
def kubectl(cluster: Cluster) -> Iterator[Kubectl]:
    """An administrator's kubectl in a namespace of its own, on a cluster with the CRDs installed."""
    admin = cluster.kubectl()
    install(admin)
    admin("create", "namespace", NAMESPACE)
    yield admin.within(NAMESPACE)
    asyncio.run(_clear(cluster))
    admin("delete", "namespace", NAMESPACE, "--wait=false")


async def _clear(cluster: Cluster) -> None:
    async with live_objects(cluster) as live:
        await live.clear()


def live_objects(cluster: Cluster) -> Live:
    """Return the objects of the namespace."""
    return Live(cluster.admin, NAMESPACE)
