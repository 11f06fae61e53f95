"""InstanceUpgrades that the API server refuses before any operator sees them, and what it says and shows instead.

No operator runs here. The rules are those of the generated CRD.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.controlplane.kubectl import Kubectl
from tests.integration.bad_specs import Refused
from tests.integration.bad_upgrades import ALLOWED, KEPT_UPGRADES, REFUSED_UPGRADES, Kept
from tests.integration.manifests import upgrade
from tests.rig.stack import ROOT

pytestmark = pytest.mark.cluster

CRD = ROOT / "crds" / "instanceupgrades.gpuinstance.dev.yaml"


@pytest.mark.parametrize("row", [pytest.param(row, id=row.why) for row in REFUSED_UPGRADES])
def test_bad_input_is_refused_in_words(api: Kubectl, row: Refused) -> None:
    """Whoever applies it reads which field is wrong and what would be right."""
    manifest = upgrade("refused", **row.spec)
    done = api.attempt("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0, "the API server took it"
    assert row.field in done.stderr
    assert row.rule in done.stderr


@pytest.mark.parametrize("row", [pytest.param(row, id=row.why) for row in KEPT_UPGRADES])
def test_what_runs_once_stays_as_it_was(api: Kubectl, row: Kept) -> None:
    """A spec cannot change under an order, and the person is told what to do instead."""
    api("replace", "--force", "--grace-period=0", "-f", "-", stdin=json.dumps(upgrade("kept", **row.before)))
    patch = json.dumps({"spec": row.patch})
    done = api.attempt("patch", "iup/kept", "--dry-run=server", "--type=merge", "-p", patch)
    assert done.returncode != 0, "the API server took it"
    assert row.rule in done.stderr


@pytest.mark.parametrize("what", ALLOWED)
def test_a_person_may_take_part(api: Kubectl, what: str) -> None:
    """The payment, the confirmation and the wish to cancel can be said at any time."""
    before, patch = ALLOWED[what]
    api("replace", "--force", "--grace-period=0", "-f", "-", stdin=json.dumps(upgrade("open", **before)))
    change = ("--dry-run=server", "--type=merge", "-p", json.dumps({"spec": patch}))
    assert "patched" in api("patch", "iup/open", *change)


def test_no_rule_is_forgotten() -> None:
    """Every rule that the schema puts into words is broken by one of the rows."""
    words = set(re.findall(r"^ *- message: '?(.*?)'?$", CRD.read_text(), re.MULTILINE))
    assert words, "the CRD has rules"
    broken = {row.rule for row in REFUSED_UPGRADES} | {row.rule for row in KEPT_UPGRADES}
    assert [word for word in sorted(words) if not any(word.startswith(rule) for rule in broken)] == []


def test_nobody_takes_a_new_upgrade_for_done(api: Kubectl) -> None:
    """Until an operator has seen it, its status says generation -1, which no generation equals."""
    api("create", "-f", "-", stdin=json.dumps(upgrade("unseen")))
    assert api.json("get", "iup/unseen")["status"] == {"observedGeneration": -1}
    assert api.attempt("wait", "iup/unseen", "--for=condition=Ready", "--timeout=0").returncode != 0


def test_it_is_found_beside_the_instances(api: Kubectl) -> None:
    """`kubectl get gpu` shows both kinds, and `kubectl explain` says what each field means."""
    api("create", "-f", "-", stdin=json.dumps(upgrade("found")))
    assert "instanceupgrade.gpuinstance.dev/found" in api("get", "gpu", "-o", "name").splitlines()
    heads = api("get", "iup/found").splitlines()[0].split()
    assert heads == ["NAME", "PHASE", "INSTANCE", "TARGET", "INVOICE", "TOTAL", "OUTCOME", "AGE"]
    assert "Only this, or the provider's own word, counts as payment" in " ".join(
        api("explain", "iup.spec.payment.confirmedInvoiceID").split()
    )
