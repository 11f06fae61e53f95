"""What is refused before any operator sees it: by the API server, in words that name field and rule.

No operator runs here. The rules are those of the generated CRD and of deploy/policies.yaml.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from tests.controlplane.kubectl import Kubectl
from tests.integration.bad_connections import REFUSED_CONNECTIONS
from tests.integration.bad_notifications import REFUSED_NOTIFICATIONS
from tests.integration.bad_servers import REFUSED_SERVERS
from tests.integration.bad_specs import (
    CONFIG,
    REFUSED,
    SECRET,
    UNLISTED,
    Refused,
    checks,
    ports,
)
from tests.integration.manifests import Manifest, instance, server
from tests.rig.stack import ROOT, await_true

pytestmark = pytest.mark.cluster

CRD = ROOT / "crds" / "gpuinstances.gpuinstance.dev.yaml"


@pytest.mark.parametrize("row", [pytest.param(row, id=row.why) for row in REFUSED])
def test_bad_input_is_refused_in_words(api: Kubectl, row: Refused) -> None:
    """Whoever applies it reads which field is wrong and what would be right."""
    refuse(api, instance(**row.spec), row)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.why) for row in REFUSED_NOTIFICATIONS])
def test_a_destination_that_cannot_be_told_is_refused_in_words(api: Kubectl, row: Refused) -> None:
    """What only a delivery can show is shown in the status later."""
    refuse(api, instance(**row.spec), row)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.why) for row in REFUSED_CONNECTIONS])
def test_what_cannot_be_published_is_refused_in_words(api: Kubectl, row: Refused) -> None:
    """Names that no Secret or Service has, and a Secret that is not to be written over."""
    refuse(api, instance(**row.spec), row)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.why) for row in REFUSED_SERVERS])
def test_what_a_server_cannot_be_is_refused_in_words(api: Kubectl, row: Refused) -> None:
    """What the schema can know about a provider is said before anything is bought there."""
    refuse(api, server(**row.spec), row)


def refuse(api: Kubectl, manifest: Manifest, row: Refused) -> None:
    done = api.attempt("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0, "the API server took it"
    assert f"{row.field}:" in done.stderr or f'"{row.field}"' in done.stderr, done.stderr
    assert row.rule in done.stderr


class Kept(NamedTuple):
    """A change of an existing object that must not come in."""

    why: str
    before: dict[str, Any]
    patch: dict[str, Any]
    field: str
    rule: str


ADOPTING = {"adopt": {"instanceID": "m-1"}}
KEPT = [
    Kept(
        "another provider",
        {},
        {"provider": "hostwinds", "image": None, "templateID": "ubuntu", "hostwinds": {"locationID": 1}},
        "spec.provider",
        "provider cannot be changed: delete the instance and create another",
    ),
    Kept(
        "a smaller disk", {"rootfsSizeGB": 100}, {"rootfsSizeGB": 99}, "spec", "rootfsSizeGB can grow but never shrink"
    ),
    Kept(
        "no disk any more",
        {"rootfsSizeGB": 100},
        {"rootfsSizeGB": None},
        "spec",
        "rootfsSizeGB can grow but never shrink or be removed",
    ),
    Kept("image to both", {}, {"templateID": "107672"}, "spec", "exactly one of image and templateID is required"),
    Kept(
        "a port that is still checked",
        checks(endpoints=ports(80)),
        {"ports": ports(81)},
        "spec",
        UNLISTED,
    ),
    Kept("a machine to adopt, later", {}, {"adopt": {"instanceID": "m-1"}}, "spec", "adopt is for new objects"),
    Kept("another machine to adopt", ADOPTING, {"adopt": {"instanceID": "m-2"}}, "spec", "adopt is for new objects"),
    Kept("control by accident", ADOPTING, {"adopt": None}, "spec", "without adopt management is Full"),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.why) for row in KEPT])
def test_a_change_that_cannot_be_is_refused_in_words(api: Kubectl, row: Kept) -> None:
    """What is fixed once and for all stays as it was, and the person is told why."""
    manifest = json.dumps(instance("kept", **row.before))
    api("replace", "--force", "--grace-period=0", "-f", "-", stdin=manifest)
    patch = json.dumps({"spec": row.patch})
    done = api.attempt("patch", "gpui/kept", "--dry-run=server", "--type=merge", "-p", patch)
    assert done.returncode != 0, "the API server took it"
    assert f"{row.field}:" in done.stderr
    assert row.rule in done.stderr


def test_no_rule_is_forgotten() -> None:
    """Every rule that the schema puts into words is broken by one of the rows above."""
    words = set(re.findall(r"^ *- message: '?(.*?)'?$", CRD.read_text(), re.MULTILINE))
    assert words, "the CRD has rules"
    rows = [*REFUSED, *REFUSED_SERVERS, *REFUSED_NOTIFICATIONS, *REFUSED_CONNECTIONS]
    broken = {row.rule for row in rows} | {row.rule for row in KEPT}
    assert [word for word in sorted(words) if not any(word.startswith(rule) for rule in broken)] == []


ACCEPTED = [
    pytest.param({"rootfsSizeGB": 101}, id="a larger disk"),
    pytest.param({"management": "Observe"}, id="hands off"),
    pytest.param({"image": None, "templateID": "107672"}, id="a template instead of the image"),
    pytest.param({"gpuCount": 8, "regions": ["AS-SGP-02"]}, id="all that one machine can have"),
    pytest.param({"ports": ports(2221, 2225)}, id="neighbours of the reserved ports"),
    pytest.param({"billing": {"mode": "Monthly", "months": 36, "maxHourlyPrice": 0.001}}, id="three years"),
    pytest.param({"timeouts": {"create": "1h30m", "stop": "90s"}}, id="durations"),
    pytest.param(
        {"healthCheck": {"endpoints": [{"port": 80, "expectedStatuses": "200,204,301-308,401"}]}},
        id="a list of statuses",
    ),
    pytest.param(
        {"image": None, "templateID": "1", "ports": None, "healthCheck": {"targetPort": 8188}},
        id="a check of a port of the template",
    ),
    pytest.param({"env": [{"name": "A", "valueFrom": SECRET}, {"name": "B", "valueFrom": CONFIG}]}, id="env"),
]


@pytest.mark.parametrize("patch", ACCEPTED)
def test_what_is_allowed_comes_in(api: Kubectl, patch: dict[str, Any]) -> None:
    """Rules refuse what is wrong and nothing else, also as a change of an existing object."""
    manifest = instance("allowed", ports=ports(80), rootfsSizeGB=100)
    api("apply", "-f", "-", stdin=json.dumps(manifest))
    change = ("--dry-run=server", "--type=merge", "-p", json.dumps({"spec": patch}))
    assert "patched" in api("patch", "gpui/allowed", *change)


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({}, id="as little as there is"),
        pytest.param({"gpuCount": 1, "billing": {"mode": "OnDemand", "maxHourlyPrice": 0.05}}, id="what it is anyway"),
        pytest.param(
            {"hostwinds": {"locationID": 7, "billingCycle": "Triennially", "sshKeys": [f"key-{n}" for n in range(20)]}},
            id="all that the block holds",
        ),
        pytest.param({"recovery": {"policy": "Recreate", "onSpotReclaim": "Never"}}, id="help"),
        pytest.param({"actions": {"reinstall": "a", "regenerateNetworking": "b", "recreate": "c"}}, id="its actions"),
        pytest.param({"ports": ports(22, 443), "healthCheck": {"targetPort": 443}}, id="ports of its own address"),
        pytest.param({"actions": {"restart": "recovery"}}, id="a token that only resembles the operator's own"),
    ],
)
def test_what_a_server_can_be_comes_in(api: Kubectl, patch: dict[str, Any]) -> None:
    """Also as a change of an existing object."""
    api("apply", "-f", "-", stdin=json.dumps(server("allowed-server")))
    change = ("--dry-run=server", "--type=merge", "-p", json.dumps({"spec": patch}))
    assert "patched" in api("patch", "gpui/allowed-server", *change)


def test_a_field_that_does_not_exist_is_refused(api: Kubectl) -> None:
    """A misspelt field is an error, as kubectl validates strictly, and not silently dropped."""
    done = api.attempt("create", "-f", "-", stdin=json.dumps(instance(gpus=2)))
    assert done.returncode != 0
    assert 'unknown field "spec.gpus"' in done.stderr


def test_deletion_protection_holds_without_an_operator(api: Kubectl) -> None:
    """While `deletionProtection` is true nobody can delete the object; afterwards it goes."""
    api("apply", "-f", "-", stdin=json.dumps(instance("dear", deletionProtection=True)))

    def refused() -> bool:
        """A new policy takes effect a moment after it was applied."""
        done = api.attempt("delete", "gpui/dear", "--dry-run=server")
        return "spec.deletionProtection is true: set it to false before deleting this instance" in done.stderr

    await_true(refused)
    api("patch", "gpui/dear", "--type=merge", "-p", '{"spec":{"deletionProtection":false}}')
    assert "deleted" in api("delete", "gpui/dear")
