"""`spec.notifications` on the real API server: told in order, at least once, whatever ends the operator meanwhile."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.manifests import Manifest, serving, upgrade
from tests.integration.world import SECRET_VALUE, SECRETS, World, until
from tests.webhooks import OK, Answer, Receiver, secret

pytestmark = pytest.mark.cluster

BORN = ["instance.startup.initiated", "instance.created", "instance.health-checking", "instance.ready"]
LATER = Answer(status=503, headers={"retry-after": "1"})


@pytest.fixture
def receiver(world: World) -> Iterator[Receiver]:
    """A receiver, with its signing secret in the namespace."""
    with Receiver() as receiver:
        world.set_secret("hooks", signingSecret=receiver.signing_secret, url=receiver.url)
        yield receiver
        world.kubectl("delete", "gpui", "--all")  # while somebody listens to the end


def told(receiver: Receiver, name: str = "trainer", **spec: Any) -> Manifest:
    """Return a manifest of an instance that tells this receiver everything."""
    destination = {"name": "ops", "url": receiver.url, "signingSecretRef": {"name": "hooks"}}
    return serving(name, notifications=[destination], **spec)


def test_a_life_is_told_in_order_and_leaves_nothing_behind(world: World, receiver: Receiver) -> None:
    """Each step once, signed, without addresses and secrets; and the object goes when its end was told."""
    destination = {
        "name": "ops",
        "urlFrom": {"secretKeyRef": {"name": "hooks", "key": "url"}},
        "signingSecretRef": {"name": "hooks"},
    }
    world.set_secret("team", token=SECRET_VALUE)
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "team", "key": "token"}}}
    world.apply(serving(notifications=[destination], env=[token]))
    world.ready("trainer")
    until(lambda: receiver.types() == BORN, "the birth is told")
    until(lambda: "pendingNotifications" not in world.status("trainer"), "the outbox is empty")
    writes = [write for write in world.writes_about("trainer") if write.resource == "gpuinstances/status"]
    assert len(writes) <= 8, "each patch that tells is the one that announces; what is delivered goes in one more"
    endpoint = world.status("trainer")["endpoints"][0]["url"].partition("//")[2]
    world.delete("trainer")
    assert receiver.types()[4:] == ["instance.deleted"]
    assert receiver.unverified == []
    bodies = "".join(delivery.body for delivery in receiver.arrived)
    assert endpoint not in bodies
    assert [it for it in SECRETS if it in bodies] == []
    shown = bodies + json.dumps(world.history("trainer")) + world.stack.operator.child.log.read_text()
    assert receiver.signing_secret.removeprefix("whsec_")[:12] not in shown
    assert b64encode(receiver.signing_secret.encode()).decode()[:16] not in shown
    assert receiver.url not in shown, "the address came from a Secret"
    assert {delivery.notice["data"]["name"] for delivery in receiver.taken} == {"trainer"}
    assert world.stack.operator.metrics().count('gpuinstance_notification_deliveries_total{result="delivered"}') == 1


def test_an_upgrade_is_told_to_those_of_its_instance(world: World, receiver: Receiver) -> None:
    """It has no destinations of its own, and an outbox in its own status."""
    world.apply(told(receiver))
    world.ready("trainer")
    world.apply(upgrade("roomier", "trainer", target={"rootfsExpandGB": 20}))
    until(lambda: receiver.types("roomier") == ["upgrade.completed"], "its end is told")
    (ended,) = [delivery.notice["data"] for delivery in receiver.taken if delivery.type == "upgrade.completed"]
    assert (ended["kind"], ended["instance"], ended["phase"]) == ("InstanceUpgrade", "trainer", "Completed")
    until(lambda: "pendingNotifications" not in world.status("iup/roomier"), "the outbox is empty")


def test_what_was_saved_is_told_after_a_kill(world: World, receiver: Receiver) -> None:
    """The receiver has no time; the operator is killed between save and delivery; the next one tells all of it."""
    receiver.say([], otherwise=LATER)
    world.apply(told(receiver))
    world.ready("trainer")
    until(lambda: len(world.status("trainer").get("pendingNotifications", [])) == len(BORN), "all is saved")
    world.stack.operator.kill()
    assert receiver.taken == []
    receiver.say([], otherwise=OK)
    world.stack.start_operator()
    until(lambda: receiver.types() == BORN, "all is told, in order")
    ids = [it["id"] for it in world.history("trainer")[-1].get("pendingNotifications", [])]
    assert set(ids) <= {delivery.id for delivery in receiver.taken}
    until(lambda: "pendingNotifications" not in world.status("trainer"), "the outbox is empty")


def test_a_dead_receiver_holds_no_object(world: World, receiver: Receiver) -> None:
    """What cannot be told delays the end for a bounded time, is said in words, and is counted."""
    world.set_secret("hooks", signingSecret="too short")
    world.apply(told(receiver))
    world.ready("trainer")
    until(lambda: world.status("trainer").get("notificationTroubles"), "the trouble is shown")
    (trouble,) = world.status("trainer")["notificationTroubles"]
    assert trouble["name"] == "ops"
    assert "cannot sign" in trouble["message"]
    warned = [it for it in world.events("trainer") if it["reason"] == "NotificationFailed"]
    assert [it["type"] for it in warned] == ["Warning"], "once"
    world.delete("trainer")
    assert receiver.arrived == []


@pytest.mark.slow
def test_a_receiver_that_is_gone_is_left_alone_until_its_secret_changes(world: World, receiver: Receiver) -> None:
    """410 is remembered in the status, also by an operator that is started anew."""
    receiver.say([Answer(status=410)])
    world.apply(told(receiver))
    world.ready("trainer")
    until(lambda: world.status("trainer").get("notificationTroubles", [{}])[0].get("gone"), "it is noted")
    until(lambda: "pendingNotifications" not in world.status("trainer"), "the outbox is empty")
    assert len(receiver.arrived) == 1
    world.stack.operator.kill()
    world.stack.start_operator()
    world.patch("trainer", powerState="Stopped")
    world.outcome("trainer", "Stopped")
    until(lambda: "pendingNotifications" not in world.status("trainer"), "the outbox is empty")
    assert len(receiver.arrived) == 1
    receiver.signing_secret = secret(2)
    world.set_secret("hooks", signingSecret=f"{secret(3)} {secret(2)}")
    world.kubectl("get", "secret", "hooks")
    until(lambda: _restarted_is_told(world, receiver), "it is told again", pause=0.5)
    assert receiver.unverified == []


def _restarted_is_told(world: World, receiver: Receiver) -> bool:
    """Give the operator, which reads a Secret every ten seconds at most, something to tell."""
    if len(receiver.taken) == 0:
        status = world.status("trainer")
        if status.get("outcome") in ("Ready", "Stopped"):
            world.patch("trainer", powerState="Running" if status["outcome"] == "Stopped" else "Stopped")
    return len(receiver.taken) > 0 and "notificationTroubles" not in world.status("trainer")
