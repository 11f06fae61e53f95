"""Gathering the snapshot of an upgrade: what is looked at, how young it is, whose turn it is, what stays unseen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import UPGRADE_KIND, InstanceUpgrade
from gpuinstance.api.upgrade_words import CallPhase, UpgradeOutcome, UpgradePhase
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import BillingMode, ProviderName
from gpuinstance.config import Settings
from gpuinstance.core.decision import ChangeSoftware, OrderUpgrade, SwitchToMonthly
from gpuinstance.core.model import Listing, Machine, MachineState, Plan, Product, UpgradeOrder
from gpuinstance.core.snapshot import Blind
from gpuinstance.core.upgrade.snapshot import Quote
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key, Kube
from gpuinstance.observing_upgrades import UpgradeLook, UpgradeObserver, upgrade_of
from gpuinstance.providers import base, hostwinds, novita
from gpuinstance.providers.base import NotFound, Unavailable
from gpuinstance.reconcile import to_json
from tests.builders import InstanceBuilder
from tests.materials import HOST, NOW, UID, ago, product
from tests.unit.observed_world import World as InstanceWorld
from tests.upgrade_builders import PLANS, UpgradeBuilder, direct, pod, rented, renting, server, upgrade

SETTINGS = Settings(poll_seconds=60, fast_poll_seconds=3, hostwinds_poll_seconds=30, settle_seconds=60)


def stored(of: InstanceBuilder | UpgradeBuilder) -> Body:
    """Return an object as the API server holds it."""
    built = of.build()
    kind = UPGRADE_KIND if isinstance(built, InstanceUpgrade) else KIND
    document = built.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"kind": kind, **document, "status": to_json(built.status)}


class World:
    """Plays everybody whom the observer asks; a question takes as long as the test says."""

    def __init__(self, *machines: Machine, instance: InstanceBuilder | None = None) -> None:
        self._inner = InstanceWorld(*machines)
        self.machines = machines
        self.asked: list[str] = []
        self.ages: list[float] = []
        self.takes = timedelta()
        self.answers: dict[str, Any] = {"plans": PLANS, "order": None, "machine": machines[0] if machines else None}
        self.known = Known()
        self.in_cluster: Body | None = None
        if instance is not None:
            self.show(instance)
        observer = self._inner.observer
        observer.accounts = cast("Any", self)
        observer.kube = cast("Kube", self)
        observer.settings = SETTINGS
        capabilities = {ProviderName.NOVITA: novita.CAPABILITIES, ProviderName.HOSTWINDS: hostwinds.CAPABILITIES}
        observer.capabilities = capabilities
        self.observer = UpgradeObserver(
            cast("Kube", self), observer, capabilities, SETTINGS, lambda: self._inner.now, self.known
        )

    def show(self, of: InstanceBuilder | UpgradeBuilder) -> None:
        """The watch shows an object."""
        body = stored(of)
        self.known.see(Key.of(body), body)

    async def look(self, of: UpgradeBuilder) -> UpgradeLook:
        """One look."""
        return await self.observer.look(of.build())

    @property
    def rounds(self) -> list[Any]:
        """The rounds of health checks that were made."""
        return list(self._inner.rounds)

    # What the observer sees of it.

    async def account_of(self, _: Any) -> World:
        """Play the accounts."""
        return self

    async def listing(self, *, max_age: float) -> Listing:
        """Play the shared listing."""
        self.ages.append(max_age)
        return Listing(self.machines, self._inner.now)

    async def find_instance(self, namespace: str, name: str) -> Body | None:
        """Play the API server."""
        self.asked.append(f"instance {namespace}/{name}")
        return self.in_cluster

    async def get_machine(self, machine_id: str) -> Machine:
        """Play the provider."""
        return cast("Machine", self._answer("machine"))

    async def list_plans(self, machine_id: str) -> Sequence[Plan]:
        """Play the provider."""
        return cast("Sequence[Plan]", self._answer("plans"))

    async def get_upgrade_order(self, machine_id: str) -> UpgradeOrder | None:
        """Play the provider."""
        return cast("UpgradeOrder | None", self._answer("order"))

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Play the provider."""
        return cast("Sequence[Product]", self._answer("products"))

    async def list_registry_auths(self) -> Sequence[str]:
        """Play the provider."""
        return ()

    def _answer(self, question: str) -> object:
        self.asked.append(question)
        self._inner.now += self.takes
        answer = self.answers[question]
        if isinstance(answer, Exception):
            raise answer
        return answer


# ------------------------------------------------------------------------------------------------- facts


async def test_an_upgrade_begins_with_all_its_questions_in_one_pass() -> None:
    """The machine, the plans, an open order: then the order is decided on."""
    world = World(server(), instance=renting())
    look = await world.look(upgrade())
    assert world.asked == ["machine", "plans", "order"]
    assert isinstance(look.decision.action, OrderUpgrade)
    assert look.account is cast("Any", world)
    assert look.status is look.snapshot.status


TROUBLES = ["machine", "plans", "order"]


@pytest.mark.parametrize("question", TROUBLES)
async def test_a_question_without_an_answer_is_blindness(question: str) -> None:
    """Never "there is no order", never "the machine is gone": nothing is done."""
    world = World(server(), instance=renting())
    world.answers[question] = Unavailable("HTTP 502")
    look = await world.look(upgrade())
    assert isinstance(look.snapshot.view, Blind)
    assert (look.decision.action, look.decision.rule) == (None, "stay_idle_when_blind")


async def test_a_machine_is_gone_only_by_the_providers_word() -> None:
    """What the listing lacks is asked for by its id."""
    world = World(instance=renting())
    world.answers["machine"] = NotFound("no such server")
    look = await world.look(upgrade().awaiting_payment())
    assert world.asked == ["machine"]
    assert look.decision.status.conditions[0].reason == Reason.INSTANCE_LOST


async def test_a_machine_that_is_not_known_has_no_order() -> None:
    """It may vanish between two questions of a pass; the next pass finds that it is gone."""
    world = World(server(), instance=renting())
    world.answers["order"] = NotFound("no such server")
    look = await world.look(upgrade().awaiting_payment().cancelled())
    assert look.decision.status.outcome is UpgradeOutcome.CANCELLED


async def test_an_answer_is_as_old_as_its_question() -> None:
    """An order that was looked for before the settle window was over may still show, however slow the answer."""
    world = World(server(), instance=renting())
    world.takes = timedelta(seconds=20)
    look = await world.look(upgrade().ordering(began=ago(seconds=50)))
    assert look.snapshot.now == NOW + timedelta(seconds=20)
    assert look.decision.action is None
    world = World(server(), instance=renting())
    look = await world.look(upgrade().ordering(began=ago(seconds=60)))
    assert isinstance(look.decision.action, OrderUpgrade)


async def test_health_is_asked_once_a_pass_and_without_second_tries() -> None:
    """Each pass is a try of its own."""
    resized = server(MachineState.RESIZED)
    world = World(resized, instance=renting().serving_at(HOST, 80).with_spec(health_check={"retry_attempts": 5}))
    await world.look(upgrade().resized())
    [(checks, settings, _)] = world.rounds
    assert [check.port for check in checks] == [80]
    assert settings.retry_attempts == 0


async def test_a_pictures_age_follows_the_work() -> None:
    """Young while the machine is changed, about a poll old while somebody is waited for."""
    world = World(server(MachineState.RESIZING), instance=renting())
    await world.look(upgrade().resizing())
    await world.look(upgrade().awaiting_payment())
    assert world.ages == [27, 54]


async def test_what_has_ended_is_not_looked_at() -> None:
    """A finished upgrade costs neither the provider nor the API server a call, for as long as it is kept."""
    world = World(server())
    look = await world.look(upgrade().kept().with_status(completed_at=NOW, outcome=UpgradeOutcome.SUCCEEDED))
    assert look.decision.rule == "keep_the_end"
    assert (world.asked, world.ages) == ([], [])


async def test_an_instance_that_was_not_shown_yet_is_asked_for() -> None:
    """Before anything is concluded from its absence."""
    world = World(server())
    world.in_cluster = stored(renting())
    look = await world.look(upgrade().awaiting_payment())
    assert world.asked[0] == "instance default/trainer"
    assert look.snapshot.instance is not None
    world.in_cluster = None
    look = await world.look(upgrade().awaiting_payment())
    assert look.decision.status.conditions[0].reason == Reason.INSTANCE_DELETED


# ------------------------------------------------------------------------------------------------- direct changes


async def test_a_new_image_is_resolved_with_what_the_instance_keeps() -> None:
    """The target's own fields replace the spec's, all of them; mounts stay."""
    mounts = [{"id": "vol-1", "mount_path": "/data"}]
    spec: dict[str, Any] = {"env": [{"name": "OLD", "value": "1"}], "command": "old", "network_volumes": mounts}
    world = World(rented(), instance=pod().with_spec(**spec))
    target: dict[str, Any] = {"image": "other:2", "env": [{"name": "NEW", "value": "2"}]}
    look = await world.look(direct(image=target))
    action = look.decision.action
    assert isinstance(action, ChangeSoftware)
    assert (action.software.image, action.software.command) == ("other:2", None)
    assert action.software.env == (("NEW", "2"),)
    assert [it.id for it in action.software.volumes] == ["vol-1"]


PRICES = ((1, Decimal(100)), (3, Decimal(270)))


@pytest.mark.parametrize(
    ("prices", "months", "gpus", "expected"),
    [
        (PRICES, 3, 1, Decimal(270)),
        (PRICES, 3, 2, Decimal(540)),
        (PRICES, 6, 1, Decimal(600)),
        (((3, Decimal(270)),), 6, 1, None),
        ((), 1, 1, None),
    ],
)
async def test_what_a_term_costs(
    prices: tuple[tuple[int, Decimal], ...], months: int, gpus: int, expected: Decimal | None
) -> None:
    """The term's own price, else so many single months; unknown where neither is named."""
    world = World(
        rented(),
        instance=pod()
        .with_spec(gpu_count=gpus)
        .with_status(instance={"id": "m-1", "name": "x", "product_id": "4090.a"}),
    )
    world.answers["products"] = [product("else"), product("4090.a", monthly_prices=prices)]
    look = await world.look(direct(billing={"months": months}))
    assert look.snapshot.quote == Quote(expected)
    assert isinstance(look.decision.action, SwitchToMonthly)


async def test_a_product_that_is_not_listed_has_no_price() -> None:
    """Under a limit that ends the upgrade."""
    world = World(rented(), instance=pod())
    world.answers["products"] = []
    look = await world.look(direct(billing={"months": 1}).limited_to("1000"))
    assert look.decision.status.conditions[0].reason == Reason.PRICE_ABOVE_LIMIT


# ------------------------------------------------------------------------------------------------- whose turn


FIRST, SECOND = upgrade().named("first", born=ago(hours=3)), upgrade().named("second", born=ago(hours=2))


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], None),
        ([FIRST], "first"),
        ([FIRST, SECOND], "first"),
        ([upgrade().named("later", born=ago(minutes=1))], None),
        ([upgrade().named("later", born=ago(minutes=1)).awaiting_payment()], "later"),
        ([FIRST, upgrade().named("later", born=ago(minutes=1)).paid()], "later"),
        ([FIRST.deleting()], None),
        ([FIRST.awaiting_payment().deleting()], "first"),
        ([FIRST.awaiting_payment().with_status(completed_at=NOW)], None),
        ([upgrade().named("twin", uid="0000")], "twin"),
        ([upgrade().named("twin", uid="ffff")], None),
        ([FIRST.with_spec(instance_ref={"name": "another"})], None),
    ],
    ids=[
        "nobody else",
        "an older one",
        "the oldest of several",
        "a younger one",
        "a younger one that has begun",
        "the one that has begun, not the oldest",
        "an older one that goes",
        "one that has begun and goes",
        "one that has ended",
        "of the same age, first by uid",
        "of the same age, last by uid",
        "of another instance",
    ],
)
async def test_who_goes_first(others: list[UpgradeBuilder], expected: str | None) -> None:
    """One that has begun; else the oldest that somebody still wants."""
    world = World(server(), instance=renting())
    for other in (*others, upgrade()):
        world.show(other)
    look = await world.look(upgrade())
    assert look.snapshot.ahead == expected


async def test_what_has_begun_waits_for_nobody() -> None:
    """There is only one; should there be two by somebody's hand, none of them waits for ever."""
    world = World(server(), instance=renting())
    world.show(FIRST.paid())
    assert (await world.look(upgrade().paid())).snapshot.ahead is None


# ------------------------------------------------------------------------------------------------- for the instance

SUCCEEDED: dict[str, Any] = {"outcome": UpgradeOutcome.SUCCEEDED, "completed_at": ago(minutes=1)}
FAILED = FIRST.resizing().with_status(outcome=UpgradeOutcome.FAILED, completed_at=NOW)
PRICED = {"product_id": "5", "hourly_price": "0.01918"}


@pytest.mark.parametrize(
    ("upgrades", "expected"),
    [
        ([], None),
        ([FIRST.awaiting_payment()], None),
        ([FIRST.paid()], None),
        ([FIRST.applying()], ("first", True)),
        ([FIRST.applying(CallPhase.REFUSED, reason=Reason.RATE_LIMITED)], None),
        ([FIRST.resizing()], ("first", True)),
        ([FIRST.kept().with_status(**SUCCEEDED)], ("first", False)),
        ([FIRST.kept().with_status(**SUCCEEDED), SECOND.applying()], ("second", True)),
        (
            [FIRST.kept().with_status(**SUCCEEDED), SECOND.kept().with_status(**{**SUCCEEDED, "completed_at": NOW})],
            ("second", False),
        ),
        ([FAILED], None),
        ([FAILED.with_status(target=PRICED)], ("first", False)),
        ([FAILED.with_status(target=PRICED, phase=UpgradePhase.REVERTED)], None),
        ([FAILED.with_status(target=PRICED, applied_at=None)], None),
        ([FAILED.with_status(target=PRICED), SECOND.kept().with_status(**SUCCEEDED)], ("second", False)),
    ],
    ids=[
        "none",
        "one that awaits payment",
        "one that is paid",
        "one that applies",
        "one whose apply was refused",
        "one that resizes",
        "one that succeeded",
        "one that holds before one that succeeded",
        "the last that succeeded",
        "one that failed at no price",
        "one that failed and may have changed what the machine costs",
        "one that was taken back",
        "one that failed before anything was changed",
        "one that succeeded, and has to be noted before one that failed",
    ],
)
def test_which_upgrade_concerns_an_instance(upgrades: list[UpgradeBuilder], expected: tuple[str, bool] | None) -> None:
    """The one that holds its machine, else the last one that has made something of it and is not noted yet."""
    known = Known()
    for of in upgrades:
        body = stored(of)
        known.see(Key.of(body), body)
    found = upgrade_of(known, renting().build())
    assert (found and (found.name, found.holds)) == expected


def test_what_failed_is_shown_until_it_is_noted() -> None:
    """After that the last one that succeeded is what concerns the instance, as before."""
    known = Known()
    for of in (FAILED.with_status(target=PRICED), SECOND.kept().with_status(**SUCCEEDED)):
        body = stored(of)
        known.see(Key.of(body), body)
    here = renting().build()
    recorded = here.status.instance
    assert recorded is not None
    names = []
    for noted in ({"upgraded_by": "second-uid"}, {"upgraded_by": "second-uid", "priced_by": "first-uid"}):
        status = here.status.model_copy(update={"instance": recorded.model_copy(update=noted)})
        found = upgrade_of(known, here.model_copy(update={"status": status}))
        assert found is not None
        names.append((found.name, found.failed_between is not None))
    assert names == [("first", True), ("second", False)]


def test_what_ended_before_the_last_one_that_was_noted_tells_nothing() -> None:
    """That one may be gone by now; one that ended after it comes first all the same."""
    earlier, later = ago(minutes=5), NOW + timedelta(minutes=5)
    here = renting().build()
    recorded = here.status.instance
    assert recorded is not None
    noted = {"upgraded_by": "gone-uid", "last_upgrade_ended_at": NOW}
    status = here.status.model_copy(update={"instance": recorded.model_copy(update=noted)})
    here = here.model_copy(update={"status": status})
    for of in (FAILED.with_status(target=PRICED), FIRST.kept().with_status(**SUCCEEDED)):
        for end, expected in ((earlier, None), (NOW, None), (later, "first")):
            known = Known()
            body = stored(of.with_status(completed_at=end))
            known.see(Key.of(body), body)
            found = upgrade_of(known, here)
            assert (found and found.name) == expected
            assert found is None or found.ended_at == end


def test_an_upgrade_of_another_machine_or_object_is_none_of_its_business() -> None:
    """The uid and the machine's id have to fit, not the name alone."""
    known = Known()
    body = stored(FIRST.resizing())
    known.see(Key.of(body), body)
    assert upgrade_of(known, renting().build()) is not None
    other_machine: dict[str, Any] = {"id": "m-2", "name": "x"}
    assert upgrade_of(known, renting().with_status(instance=other_machine).build()) is None
    assert upgrade_of(known, renting().with_status(instance=None).build()) is None
    again = renting().build()
    again = again.model_copy(update={"metadata": again.metadata.model_copy(update={"uid": UID[::-1]})})
    assert upgrade_of(known, again) is None


def test_ports_that_an_upgrade_has_published_are_told() -> None:
    """None for one that changed no ports; an empty text for one that closed all."""
    for target, expected in (
        ({"ports": [{"port": 8080}]}, "8080/http"),
        ({"ports": []}, ""),
        ({"plan": {"id": "5"}}, None),
    ):
        known = Known()
        done = upgrade(target=target).kept().with_status(**SUCCEEDED)
        if "ports" in target:
            done = done.with_status(target={"ports": expected})
        body = stored(done)
        known.see(Key.of(body), body)
        found = upgrade_of(known, renting().build())
        assert found is not None
        assert found.ports == expected


def test_blindness_has_a_reason_of_the_providers_tree() -> None:
    """Whatever a provider may raise has a reason from the closed list."""
    for error in (base.NotFound, base.Unauthorized, base.Rejected, base.WrongState, base.UnknownOutcome):
        assert error.reason in Reason
