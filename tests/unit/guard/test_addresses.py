"""What the guard thinks of an address, before any socket."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from gpuinstance.guard import Guard, TargetNotAllowed
from gpuinstance.guard.addresses import literal_or_name

PUBLIC = (
    "93.184.215.14",
    "1.1.1.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "172.32.0.1",
    "100.128.0.1",
)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_reached(text: str) -> None:
    """Also those of IPv4 behind the two disguises that have an honest use."""
    assert Guard().refusal(ip_address(text)) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("10.1.2.3", "private"),
        ("169.254.169.254", "link-local"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("0.0.0.0", "unspecified"),
        ("239.1.1.1", "multicast"),
        ("fd12::1", "private"),
        ("::ffff:192.168.0.1", "private"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:a00:1::", "tunnel"),
        ("5f00::1", "non-public"),
    ],
)
def test_a_refusal_names_the_kind_of_address_and_not_the_address(text: str, kind: str) -> None:
    """What a name inside the cluster resolves to is nothing that a status should tell."""
    assert Guard().refusal(ip_address(text)) == f"{kind} address"


def test_an_allowed_network_is_an_exception_for_itself_only() -> None:
    """Allowing one network opens no other, in no disguise."""
    guard = Guard(allowed=[ip_network("127.0.0.0/8")])
    assert guard.refusal(ip_address("127.0.0.1")) is None
    assert guard.refusal(ip_address("::ffff:127.0.0.1")) is None
    assert guard.refusal(ip_address("10.0.0.1")) is not None
    assert guard.refusal(ip_address("::1")) is not None


def test_a_denied_network_wins_over_everything() -> None:
    """A range of nodes stays closed although it is public, or allowed, or disguised."""
    guard = Guard(allowed=[ip_network("10.0.0.0/8")], denied=[ip_network("10.96.0.0/12"), ip_network("1.1.1.0/24")])
    assert guard.refusal(ip_address("10.0.0.1")) is None
    assert guard.refusal(ip_address("10.96.0.1")) == "address in a denied range"
    assert guard.refusal(ip_address("1.1.1.1")) == "address in a denied range"
    assert guard.refusal(ip_address("::ffff:1.1.1.1")) == "address in a denied range"
    assert guard.refusal(ip_address("64:ff9b::101:101")) == "address in a denied range"


def test_a_denied_network_wins_over_an_exception_within_it() -> None:
    """The more specific one does not win: what must never be reached is not opened by a line elsewhere."""
    guard = Guard(allowed=[ip_network("10.96.7.0/24")], denied=[ip_network("10.96.0.0/12")])
    assert guard.refusal(ip_address("10.96.7.1")) == "address in a denied range"


@pytest.mark.parametrize(
    "host", ["app.example", "a-b.c_d.example.", "xn--bcher-kva.example", "localhost", "1a.example"]
)
def test_plain_names_are_names(host: str) -> None:
    """They are resolved, and judged by what they resolve to."""
    assert literal_or_name(host) is None


ODD = ("2130706433", "0x7f.1", "0X7F000001", "0177.0.0.1", "127.1", "127.0.0.1.", "1.2.3.4.5", "a.0x", "fe80::1%eth0")
BROKEN = ("", ".", "a..b", "-a.example", "a b", "a/b", "a%2eb", "b\u00fccher.example", "\uff11.1.1.1", "[app.example]x")


@pytest.mark.parametrize("host", [*ODD, *BROKEN])
def test_everything_else_is_refused_before_it_is_resolved(host: str) -> None:
    """Libraries disagree about odd spellings, so none of them gets to see one."""
    with pytest.raises(TargetNotAllowed):
        literal_or_name(host)
