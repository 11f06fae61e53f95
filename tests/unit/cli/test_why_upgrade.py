"""The screen that answers what an upgrade waits for."""

from __future__ import annotations

import io
from string import Formatter

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.cli.screen import Screen
from gpuinstance.cli.upgrade_hints import hint_of
from gpuinstance.cli.why_upgrade import show_why_upgrade
from tests.unit.cli import objects
from tests.unit.cli.objects import NOW, Object


def screen_of(upgrade: Object, *, colours: bool = False) -> str:
    out = io.StringIO()
    show_why_upgrade(InstanceUpgrade.model_validate(upgrade), Screen(out, colours=colours, width=110), NOW)
    return out.getvalue()


AWAITING_PAYMENT = """\
team-a/bigger waits for somebody: AwaitingPayment
  pay invoice 416 of 4.00 USD

UPGRADE  of GPUInstance web, machine 100185
  from   VPS 1 CPU 2 GB 50 GB, Ubuntu 22.04
  to     VPS 2 CPU 2 GB 50 GB

STEPS
  accepted   2026-01-01 11:55:01Z
  ordered    2026-01-01 11:55:03Z   +2s

INVOICE  416 of 4.00 USD, due 2026-01-08; upgrade order 98
  payment is waited for until 2026-01-04 11:55Z, for 2d23h

CONDITIONS
  Ready            False   AwaitingPayment   2m   (see above)
  Reconciling      True    AwaitingPayment   2m   (see above)
  ActionRequired   True    AwaitingPayment   2m   (see above)
  Accepted         True    Completed         2m   the instance and the target were validated
  Applied          False   Pending           2m   not yet

WHAT TO DO
  Pay the invoice in the provider's portal. If the provider does not show that it is paid, say so:
    $ kubectl gpu confirm-payment -n team-a bigger --invoice 416
"""


def test_the_whole_screen() -> None:
    """What is changed, how far it is, the invoice, conditions, what to do; the command can be copied."""
    assert screen_of(objects.awaiting_payment()) == AWAITING_PAYMENT


@pytest.mark.parametrize(
    ("upgrade", "lines"),
    [
        pytest.param(
            objects.upgrade(),
            ["team-a/bigger has not been looked at by the operator", "UPGRADE  of GPUInstance web"],
            id="new",
        ),
        pytest.param(
            objects.rejected(),
            [
                "team-a/bigger is stuck: RequestRejected",
                "LAST CALL  Apply: refused",
                "  error  RequestRejected (NeedsPerson)",
                "  next try in 9m",
                "  See in the provider's portal why: is the invoice really paid?",
            ],
            id="stuck",
        ),
        pytest.param(
            objects.finished("Succeeded", "Completed"),
            ["team-a/bigger has succeeded, 60s ago", "  Nothing. It is as the spec asks."],
            id="succeeded",
        ),
        pytest.param(
            objects.finished("Cancelled", "Cancelled"), ["team-a/bigger was cancelled, 60s ago"], id="cancelled"
        ),
        pytest.param(
            objects.finished("Failed", "PaymentTimedOut"),
            [
                "team-a/bigger has failed: PaymentTimedOut",
                "  ended      2026-01-01 11:59:00Z   +3m57s",
                "  This upgrade has ended. Create another one, under another name, if the change is still wanted.",
            ],
            id="failed",
        ),
    ],
)
def test_what_is_said(upgrade: Object, lines: list[str]) -> None:
    """The first line says how it stands, the last what to do."""
    shown = screen_of(upgrade).splitlines()
    assert [line for line in lines if line not in shown] == []


def test_how_it_is_billed_is_shown_where_that_changes() -> None:
    """And not where it is as before."""
    upgrade = objects.awaiting_payment()
    upgrade["status"]["before"] |= {"billingMode": "OnDemand"}
    assert "billed" not in screen_of(upgrade)
    upgrade["status"]["target"] = {"billingMode": "Monthly"}
    shown = screen_of(upgrade)
    assert "Ubuntu 22.04, billed OnDemand" in shown
    assert "  to     billed Monthly" in shown


def test_an_old_status_is_called_old() -> None:
    """After an edit that nobody has looked at, the screen says that it is about the spec before."""
    edited = objects.awaiting_payment()
    edited["metadata"] |= {"generation": 3, "deletionTimestamp": "2026-01-01T11:59:00Z"}
    shown = screen_of(edited)
    assert "All this is about generation 2 of the spec" in shown
    assert "It has been in deletion for 60s." in shown


def test_a_reason_of_a_newer_operator_has_no_advice() -> None:
    """It is shown as it is."""
    upgrade = objects.finished("Failed", "SomethingNew")
    shown = screen_of(upgrade)
    assert "SomethingNew" in shown
    assert "WHAT TO DO" not in shown


@pytest.mark.parametrize("reason", Reason)
def test_every_hint_is_about_the_upgrade(reason: Reason) -> None:
    """No command takes the upgrade's name for that of an instance, and each can be filled in."""
    hint = hint_of(reason)
    assert hint.text
    names = {name for _, name, _, _ in Formatter().parse(hint.command or "") if name}
    assert names <= {"name", "namespace", "instance", "invoice"}
    assert "gpui {name}" not in (hint.command or "")
