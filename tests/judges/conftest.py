"""What the judges share: the engines' own code, and one namespace of the API server with no operator in sight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.controlplane.progress import Report
from tests.judges.build import ensure
from tests.judges.live import Live
from tests.judges.program import Engines
from tests.judges.stories import INSTANCE, NAMESPACE, Kind
from tests.judges.upgrade_stories import UPGRADE
from tests.rig.stack import install


@pytest.fixture(scope="session")
def engines(report: Report) -> Engines:
    """Flux and Argo CD, built on first use."""
    return Engines(ensure(report))


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
    for kind in (UPGRADE, INSTANCE):
        async with live_objects(cluster, kind) as live:
            await live.clear()


def live_objects(cluster: Cluster, kind: Kind = INSTANCE) -> Live:
    """Return the objects of the namespace."""
    return Live(cluster.admin, NAMESPACE, kind)
