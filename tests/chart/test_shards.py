"""Several leaders: a Deployment for each, apart from the others; and with one shard everything is called as ever."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.config import Settings
from gpuinstance.core.division import MOST_SHARDS
from tests.chart.helm import CHART, NAME, Helm, HelmError, Manifest, containers, one

LABEL = "gpuinstance.dev/shard"


def named(rendered: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {it["metadata"]["name"]: it for it in rendered if it["kind"] == kind}


def lease_rules(rendered: list[Manifest]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = one(rendered, "Role")["rules"]
    return rules


def test_one_shard_changes_nothing(helm: Helm) -> None:
    """No label and no name tells of shards, so that an older release is upgraded in place."""
    rendered = helm.manifests(values={"shards": 1})
    assert list(named(rendered, "Deployment")) == list(named(rendered, "PodDisruptionBudget")) == [NAME]
    assert LABEL not in str(rendered)
    assert "GPUINSTANCE_SHARD" not in str(rendered)
    assert rendered == helm.manifests()


def test_three_shards_are_three_deployments(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each selects its own pods and no others, is told which it is, and may be drained for itself."""
    rendered = helm.manifests(values={"shards": 3, "replicas": 2})
    names = [f"{NAME}-shard-{index}" for index in range(3)]
    deployments, budgets = named(rendered, "Deployment"), named(rendered, "PodDisruptionBudget")
    assert list(deployments) == list(budgets) == names
    for index, name in enumerate(names):
        spec = deployments[name]["spec"]
        selector, labels = spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]
        assert selector[LABEL] == labels[LABEL] == str(index)
        assert selector.items() <= labels.items()
        assert budgets[name]["spec"]["selector"]["matchLabels"] == selector
        (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"] == selector
        assert spec["replicas"] == 2
        for it in containers(deployments[name])[0]["env"]:
            monkeypatch.setenv(it["name"], it["value"])
        settings = Settings()
        assert (settings.shard, settings.shards, settings.lease_name) == (index, 3, NAME)


def test_the_rest_is_there_once_and_is_about_all(helm: Helm) -> None:
    """Service, NetworkPolicy and account are those of all shards: metrics of all are scraped."""
    rendered = helm.manifests(values={"shards": 3})
    assert list(named(rendered, "Service")) == list(named(rendered, "NetworkPolicy")) == [NAME]
    everyone = [
        one(rendered, "Service")["spec"]["selector"],
        one(rendered, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    for deployment in named(rendered, "Deployment").values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert all(selector.items() <= labels.items() for selector in everyone)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 5), (3, 1)])
def test_a_change_of_their_number_takes_no_right_from_those_who_lead(helm: Helm, before: int, after: int) -> None:
    """helm applies the Role before the Deployments: leaders of the old number go on renewing until they end."""
    old, new = (lease_rules(helm.manifests(values={"shards": count})) for count in (before, after))
    assert old == new
    (rule,) = new
    assert rule["verbs"] == ["get", "list", "create", "update"]
    assert "resourceNames" not in rule


def test_the_notes_name_each_deployment(helm: Helm) -> None:
    """The first step is to wait for all of them."""
    said = helm("install", NAME, str(CHART), "--dry-run=client", values={"shards": 2})
    notes = said[said.index("NOTES:") :]
    for index in range(2):
        assert f"kubectl rollout status deployment/{NAME}-shard-{index} " in notes


@pytest.mark.parametrize("shards", [0, MOST_SHARDS + 1, "3", 1.5])
def test_other_numbers_are_refused(helm: Helm, shards: object) -> None:
    """By the schema, before anything is rendered."""
    with pytest.raises(HelmError, match="shards"):
        helm.manifests(values={"shards": shards})
