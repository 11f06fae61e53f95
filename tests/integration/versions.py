"""Every version of every object that the API server ever showed, kept for those who want to judge them.

Watches by kubectl, one for each kind, write them into files while tests run. The laws of conditions are those
of `tests.laws` and `tests.laws_of_upgrades`; here they are held against what users really see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from tests import laws, laws_of_upgrades
from tests.controlplane.kubectl import kubectl_path
from tests.controlplane.processes import Child

UNSEEN = {"observedGeneration": -1}

Version = dict[str, Any]


def watch(kubeconfig: Path, directory: Path, kind: str) -> Child:
    """Return a program that writes every version of all objects of a kind into its log, once started."""
    command = [kubectl_path(), "get", kind, "--all-namespaces", "--watch", "--output=json"]
    return Child(name_of(kind), command, directory, {"KUBECONFIG": str(kubeconfig)})


def name_of(kind: str) -> str:
    """Return the name of the watch of a kind, `gpui` or `iup`; its log is that with `.log`."""
    return f"versions-{kind}"


def versions(log: Path) -> Iterator[Version]:
    """Return all versions in the order in which they came to be. The last may be torn off, and is left out."""
    text, decoder, position = log.read_text(), json.JSONDecoder(), 0
    while (position := text.find("{", position)) >= 0:
        try:
            item, position = decoder.raw_decode(text, position)
        except ValueError:
            return
        yield from item.get("items", [item])


def violations(log: Path) -> list[str]:
    """Return what was against the laws, each with the object and its version."""
    found: list[str] = []
    last: dict[str, InstanceUpgradeStatus] = {}
    for item in versions(log):
        metadata, status = item["metadata"], item["status"]
        if status == UNSEEN:
            continue
        place = f"{metadata['namespace']}/{metadata['name']} at {metadata['resourceVersion']}"
        if status["observedGeneration"] > metadata["generation"]:
            found.append(f"{place}: a generation was observed that did not exist yet")
        try:
            if item["kind"] == "GPUInstance":
                laws.check(GPUInstanceStatus.model_validate(status))
            else:
                upgrade = InstanceUpgradeStatus.model_validate(status)
                before, last[metadata["uid"]] = last.get(metadata["uid"], upgrade), upgrade
                laws_of_upgrades.check(upgrade)
                laws_of_upgrades.check_step(before, upgrade)
        except laws.LawBroken as broken:
            found.append(f"{place}: {broken}")
    return found
