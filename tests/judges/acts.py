"""What the engines are shown on an API server: manifests of the documents, and the operator's writes to them.

The operator is played: each object gets the finalizer, and the status of a situation of the tables. Used by the
tests of Argo CD and of Flux, which share nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.cli.cluster import FIELD_MANAGER
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.judges.files import ARGOCD, documents
from tests.judges.live import Live
from tests.judges.situations import TABLE, Situation
from tests.judges.stories import INSTANCE, Body
from tests.judges.upgrade_situations import UPGRADES
from tests.judges.upgrade_stories import UPGRADE
from tests.rig.stack import ROOT, install

KINDS = {KIND: INSTANCE, UPGRADE_KIND: UPGRADE}
SITUATIONS: dict[str, Situation] = {row.slug: row for row in (*TABLE, *UPGRADES)}
EXAMPLES = [*sorted((ROOT / "deploy" / "examples").glob("*/*.yaml")), ARGOCD / "waves.yaml", ARGOCD / "upgrade.yaml"]
"""The manifests that the documents show."""


@dataclass(frozen=True)
class Place:
    """A namespace of its own on the API server."""

    cluster: Cluster
    kubectl: Kubectl
    name: str

    def manifests(self, path: Path, prefix: str) -> list[Body]:
        """Return what a file holds, in this namespace, under names that begin so."""
        bodies = documents(path)
        for it in bodies:
            it["metadata"] |= {"namespace": self.name, "name": f"{prefix}-{it['metadata']['name']}"}
        return bodies

    def act(self, *situations: tuple[Body, str]) -> None:
        """Do to objects what the operator does in a situation: its finalizer, and its status."""

        async def write(manifest: Body, slug: str) -> None:
            name = manifest["metadata"]["name"]
            async with Live(self.cluster.admin, self.name, KINDS[manifest["kind"]]) as live:
                await live.guard(name)
                await live.save(name, SITUATIONS[slug].on_paper()["status"])

        async def write_all() -> None:
            await asyncio.gather(*(write(*it) for it in situations))

        asyncio.run(write_all())

    def act_well(self, manifests: list[Body]) -> None:
        """Let each machine serve, and each upgrade succeed."""
        self.act(*((it, "ready" if it["kind"] == KIND else "completed") for it in manifests))

    def by_hand(self, manifest: Body, spec: Body) -> None:
        """Change an object as `kubectl gpu` does."""
        name, patch = manifest["metadata"]["name"], json.dumps({"spec": spec})
        self.kubectl("patch", "gpui", name, f"--field-manager={FIELD_MANAGER}", "--type=merge", "-p", patch)

    def versions(self, manifests: list[Body]) -> list[str]:
        """Return the resourceVersion of each object."""
        return [str(self.read(it)["metadata"]["resourceVersion"]) for it in manifests]

    def read(self, manifest: Body) -> Body:
        """Return an object as it is, with its managed fields."""
        body: Body = self.kubectl.json("get", manifest["kind"], manifest["metadata"]["name"], "--show-managed-fields")
        return body

    def has(self, manifest: Body) -> bool:
        """Whether there is such an object."""
        return self.kubectl.attempt("get", manifest["kind"], manifest["metadata"]["name"]).returncode == 0

    def owners(self, manifest: Body) -> dict[str, set[str]]:
        """Return which parts of an object each manager of fields has set, such as `f:spec`."""
        owned: dict[str, set[str]] = {}
        for it in self.read(manifest)["metadata"]["managedFields"]:
            owned.setdefault(it["manager"], set()).update(it["fieldsV1"])
        return owned


@contextmanager
def opened(cluster: Cluster, name: str) -> Iterator[Place]:
    """Open such a place, and leave nothing behind in it."""
    admin = cluster.kubectl()
    install(admin)
    admin("create", "namespace", name)
    try:
        yield Place(cluster, admin.within(name), name)
    finally:
        asyncio.run(_clear(cluster, name))
        admin("delete", "namespace", name, "--wait=false")


async def _clear(cluster: Cluster, name: str) -> None:
    for kind in KINDS.values():
        async with Live(cluster.admin, name, kind) as live:
            await live.clear()
