"""upgrade, confirm-payment, confirm and cancel as they are typed."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.upgrade import InstanceUpgrade
from tests.unit.cli import objects
from tests.unit.cli.fake_cluster import Console, FakeCluster, cluster, gpu, put
from tests.unit.cli.objects import Object
from tests.unit.cli.test_verbs import deleting, server, with_spec

__all__ = ["cluster", "gpu"]
BIGGER = "instanceupgrade.gpuinstance.dev/bigger"


def web(**spec: Any) -> Object:
    it = server(**spec)
    it["metadata"]["name"] = "web"
    return it


CREATED: dict[str, tuple[str, dict[str, Any]]] = {
    "a plan": ("web --plan 403", {"target": {"plan": {"id": "403"}}}),
    "a plan by its sizes, with limits": (
        "web --plan ram=4096,cpu=2,disk=100 --max-total 9.5 --payment-timeout 24h --manual-confirm --hold --ttl 48h",
        {
            "target": {"plan": {"ram": 4096, "cpu": 2, "disk": 100}},
            "payment": {"maxTotal": 9.5, "timeout": "24h"},
            "confirmation": "Manual",
            "onVerifyFailure": "Hold",
            "ttlAfterFinished": "48h",
        },
    ),
    "a custom plan": ("web --plan id=7,bandwidth=5", {"target": {"plan": {"id": "7", "bandwidth": 5}}}),
    "an image": (
        "trainer --image docker.io/library/nginx:1.28",
        {
            "target": {
                "image": {
                    "image": "docker.io/library/nginx:1.28",
                    "keepData": True,
                    "command": "serve",
                    "env": [{"name": "A", "value": "1"}],
                }
            }
        },
    ),
    "an image, and an empty disk": (
        "trainer --image x:1 --discard-data --yes",
        {
            "target": {
                "image": {
                    "image": "x:1",
                    "keepData": False,
                    "command": "serve",
                    "env": [{"name": "A", "value": "1"}],
                }
            }
        },
    ),
    "disk": ("trainer --rootfs-expand 40", {"target": {"rootfsExpandGB": 40}}),
    "ports": (
        "trainer --ports 80,22/tcp",
        {"target": {"ports": [{"port": 80, "protocol": "http"}, {"port": 22, "protocol": "tcp"}]}},
    ),
    "billing": ("trainer --monthly 3 --yes", {"target": {"billing": {"mode": "Monthly", "months": 3}}}),
}


@pytest.mark.parametrize(("line", "spec"), CREATED.values(), ids=CREATED)
def test_what_is_created(cluster: FakeCluster, gpu: Console, line: str, spec: dict[str, Any]) -> None:
    """An upgrade that the API takes, of that instance, under a name of its own."""
    trainer = with_spec(objects.ready(), command="serve", env=[{"name": "A", "value": "1"}])
    put(cluster, trainer, web())
    result = gpu(f"upgrade {line}")
    assert result.code == 0, result.err
    instance = line.split(maxsplit=1)[0]
    name = f"{instance}-20260101-120000"
    assert cluster.written == [("create", name, {"instanceRef": {"name": instance}, **spec})]
    assert result.out == f"instanceupgrade.gpuinstance.dev/{name} created\n"
    InstanceUpgrade.model_validate(cluster.objects[-1])


def test_the_next_steps(cluster: FakeCluster, gpu: Console) -> None:
    """With the name filled in, so that they can be copied."""
    put(cluster, web())
    result = gpu("upgrade web --plan 403 --name bigger --manual-confirm")
    steps = [line.strip() for line in result.err.split("next:\n")[1].splitlines()]
    assert steps == [
        "kubectl gpu why iup/bigger",
        "kubectl gpu wait iup/bigger --for AwaitingPayment",
        "kubectl gpu confirm-payment bigger",
        "kubectl gpu confirm bigger",
        "kubectl gpu wait iup/bigger --for Completed --past-actions --timeout 24h",
    ]


REFUSED = {
    "no target": ("web", 2, "exactly one of --plan"),
    "two targets": ("web --plan 403 --ports 80", 2, "exactly one of --plan"),
    "no plan": ("web --plan ram=much", 2, "neither an id nor sizes"),
    "half a plan": ("web --plan ram=1,,cpu=2", 2, "neither an id nor sizes"),
    "no ports": ("trainer --ports 80/udp", 2, "not a list such as"),
    "not at that provider": ("trainer --plan 403", 8, "--plan is for hostwinds, and it is at novita"),
    "nor there": ("web --rootfs-expand 5", 8, "--rootfs-expand is for novita, and it is at hostwinds"),
    "in deletion": ("leaving --ports 80", 8, "is being deleted"),
    "observed": ("seen --ports 80", 8, "only observed"),
    "paid ahead, unconfirmed": ("trainer --monthly 3", 4, "3 months are PAID AHEAD"),
    "data lost, unconfirmed": ("trainer --image x:1 --discard-data", 4, "is LOST"),
    "no such instance": ("nothing --plan 403", 3, "not found"),
    "an upgrade": ("iup/bigger --plan 403", 2, "is an upgrade"),
}


@pytest.mark.parametrize(("line", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_created(cluster: FakeCluster, gpu: Console, line: str, code: int, words: str) -> None:
    """Refused in words, before anything is written."""
    leaving, seen = deleting(objects.ready()), with_spec(objects.ready(), management="Observe")
    leaving["metadata"]["name"], seen["metadata"]["name"] = "leaving", "seen"
    put(cluster, objects.ready(), web(), leaving, seen)
    result = gpu(f"upgrade {line}")
    assert result.code == code
    assert words in " ".join(result.err.split())
    assert cluster.written == []


def test_an_upgrade_queues_behind_another(cluster: FakeCluster, gpu: Console) -> None:
    """It is created all the same, and said."""
    put(cluster, web(), objects.awaiting_payment(), objects.finished("Failed", "PaymentTimedOut"))
    result = gpu("upgrade web --plan 404 --dry-run=server")
    assert result.code == 0
    assert "it queues behind iup/bigger (AwaitingPayment)\n" in result.err
    assert result.out.endswith(" created (server dry run)\n")
    assert [verb for verb, *_ in cluster.written] == ["create?"]


def test_wait_returns_where_somebody_has_to_act(cluster: FakeCluster, gpu: Console) -> None:
    """The invoice is named; the exit code tells it from a failure of the command."""
    put(cluster, web())
    status = objects.awaiting_payment()["status"] | {"observedGeneration": 1}
    cluster.meanwhile = [lambda it: it.touch("bigger", status=status)]
    result = gpu("upgrade web --plan 403 --name bigger --wait")
    assert result.code == 5
    assert "iup/bigger" not in result.out
    assert "pay invoice 416 of 4.00 USD" in result.err


PAYMENTS: dict[str, tuple[str, str | None, int, str]] = {
    "in a script": ("bigger --invoice 416", None, 0, "is told that invoice 416 of 4.00 USD is paid"),
    "in a script, without its number": ("bigger", None, 4, "add --invoice NUMBER"),
    "in a script, by force": ("iup/bigger --yes", None, 0, "is told that invoice 416"),
    "at a terminal": ("bigger", "416\n", 0, "is told that invoice 416"),
    "at a terminal, another number": ("bigger", "415\n", 4, '"415" is not the number of the invoice'),
    "at a terminal, nothing": ("bigger --invoice 416", "\n", 4, "nothing was changed"),
    "another invoice": ("bigger --invoice 7", None, 8, "its invoice is 416, not 7"),
    "a rehearsal": ("bigger --dry-run=server", None, 0, "(server dry run)"),
}


@pytest.mark.parametrize(("line", "typed", "code", "words"), PAYMENTS.values(), ids=PAYMENTS)
def test_a_payment_is_confirmed(
    cluster: FakeCluster, gpu: Console, line: str, typed: str | None, code: int, words: str
) -> None:
    """The total is shown; the number of the invoice is what has to be known."""
    put(cluster, objects.awaiting_payment())
    result = gpu(f"confirm-payment {line}", typed=typed)
    assert result.code == code
    assert words in result.out + result.err
    written = [("patch", "bigger", {"payment": {"confirmedInvoiceID": "416"}})]
    if "dry-run" in line:
        written = [("patch?", *written[0][1:])]
    assert cluster.written == (written if code == 0 else [])


def applied(**more: Any) -> Object:
    it = objects.awaiting_payment()
    it["status"] |= {"phase": "Resizing", "paidAt": "2026-01-01T11:58:00Z", "appliedAt": "2026-01-01T11:59:00Z", **more}
    return it


def charged_since() -> Object:
    """It was of nothing when it was settled, and is to be paid by now."""
    said = [objects.condition("Ready", "False", "PaymentUnconfirmed", "invoice 416 was of nothing")]
    return applied(phase="Applying", appliedAt=None, conditions=said)


def told(**spec: Any) -> Object:
    return with_spec(objects.awaiting_payment(), **spec)


OTHERS: dict[str, tuple[str, Object, int, str, dict[str, Any] | None]] = {
    "paid already": ("confirm-payment bigger", applied(), 0, "is known to be paid already", None),
    "free no longer": (
        "confirm-payment bigger --yes",
        charged_since(),
        0,
        "is paid: the change is applied now",
        {"payment": {"confirmedInvoiceID": "416"}},
    ),
    "free no longer, and not wanted": ("cancel bigger", charged_since(), 0, "do not pay invoice 416", {"cancel": True}),
    "told already": (
        "confirm-payment bigger",
        told(payment={"confirmedInvoiceID": "416"}),
        0,
        "was told already that invoice 416 is paid",
        None,
    ),
    "no invoice yet": ("confirm-payment bigger", objects.upgrade(), 8, "no invoice yet", None),
    "no invoice ever": (
        "confirm-payment bigger",
        with_spec(objects.upgrade(), target={"rootfsExpandGB": 1}),
        8,
        "there is no invoice",
        None,
    ),
    "ended": ("confirm-payment bigger", objects.finished("Failed", "PaymentTimedOut"), 8, "it has ended: Failed", None),
    "given up": ("confirm-payment bigger --yes", told(cancel=True), 8, "was told not to go on", None),
    "confirm": (
        "confirm bigger",
        applied(resizedAt="2026-01-01T12:00:00Z"),
        0,
        "keeps the new sizes",
        {"confirm": True},
    ),
    "confirm ahead": ("confirm bigger", applied(), 0, "will keep the new sizes", {"confirm": True}),
    "confirm twice": ("confirm bigger", told(confirm=True), 0, "was told already", None),
    "confirmed": ("confirm bigger", applied(confirmedAt="2026-01-01T12:00:00Z"), 0, "is confirmed already", None),
    "confirm no plan": (
        "confirm bigger",
        with_spec(objects.upgrade(), target={"rootfsExpandGB": 1}),
        8,
        "only a plan has to be confirmed",
        None,
    ),
    "cancel": (
        "cancel bigger",
        objects.awaiting_payment(),
        0,
        "do not pay invoice 416 of 4.00 USD, which stays open",
        {"cancel": True},
    ),
    "cancel at once": ("cancel bigger", objects.upgrade(), 0, "does not go on", {"cancel": True}),
    "cancel twice": ("cancel bigger", told(cancel=True), 0, "was told already", None),
    "cancel too late": ("cancel bigger", applied(), 8, "too late to cancel: Resizing", None),
    "cancel what has ended": (
        "cancel bigger",
        objects.finished("Succeeded", "Completed"),
        0,
        "has ended already",
        None,
    ),
    "an instance": ("cancel gpui/bigger", objects.upgrade(), 2, "is an instance", None),
    "a missing one": ("cancel smaller", objects.upgrade(), 3, "not found", None),
}


@pytest.mark.parametrize(("line", "found", "code", "words", "written"), OTHERS.values(), ids=OTHERS)
def test_a_persons_part(
    cluster: FakeCluster, gpu: Console, line: str, found: Object, code: int, words: str, written: dict[str, Any] | None
) -> None:
    """What may be said is written; what is said already is no error; what is too early or too late is refused."""
    put(cluster, found)
    result = gpu(line)
    assert result.code == code
    assert words in result.out + result.err
    assert cluster.written == ([("patch", "bigger", written)] if written else [])
    assert (BIGGER in result.out) is (code == 0)
