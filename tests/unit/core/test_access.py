"""How strictly a provider's word about the way into a machine is read."""

from __future__ import annotations

import pytest

from gpuinstance.core.access import Access, Ssh, parse_password, parse_ssh, ssh_to

PLAIN = {
    "ssh -p 32787 root@proxy.us-ca-6.example": Ssh("proxy.us-ca-6.example", 32787, "root"),
    "ssh root@203.0.113.10": Ssh("203.0.113.10", 22, "root"),
    "  ssh root@203.0.113.10 -p 2200\n": Ssh("203.0.113.10", 2200, "root"),
    "ssh -p2200 ubuntu@host": Ssh("host", 2200, "ubuntu"),
    "ssh root@[2001:db8::7]": Ssh("2001:db8::7", 22, "root"),
}
HOSTILE = [
    "",
    "telnet host",
    "ssh host",
    "ssh -oProxyCommand=id root@host",
    "ssh root@-oProxyCommand=id",
    "ssh -p 22 -R 1:h:2 root@host",
    "ssh root@host id",
    "ssh root@host;id",
    "ssh root@host\nid",
    "ssh root@$(id)",
    "ssh `id`@host",
    "ssh -l root@host",
    'ssh "root"@host',
    "ssh -p 0 root@host",
    "ssh -p 65536 root@host",
    "ssh -p 22 root@host -p 23",
    "ssh root@a@b",
    "ssh root@host..example",
    "ssh root@" + "a" * 300,
    "sshpass -p secret ssh root@host",
]


@pytest.mark.parametrize(("command", "way"), PLAIN.items())
def test_a_plain_command_is_understood(command: str, way: Ssh) -> None:
    """Port before or after the host, or none; and what is made of it says the same."""
    assert parse_ssh(command) == way
    assert parse_ssh(way.command) == way


@pytest.mark.parametrize("command", HOSTILE)
def test_anything_else_is_refused(command: str) -> None:
    """Whatever could be an option, a second command or a word of a shell makes the whole text useless."""
    assert parse_ssh(command) is None


@pytest.mark.parametrize(
    ("host", "user", "port"), [("", "root", 22), ("h", "", 22), ("h", "-l", 22), ("h", "root", 0), (":", "root", 22)]
)
def test_parts_are_judged_alone_too(host: str, user: str, port: int) -> None:
    """A provider that tells host, user and port apart is trusted no more."""
    assert ssh_to(host, user=user, port=port) is None


@pytest.mark.parametrize("text", ["two\nlines", "a\x00b", "\x1b[2J", "x" * 513])
def test_what_cannot_be_a_password_is_none(text: str) -> None:
    """Several lines, control characters, a page of text."""
    assert parse_password(text) == ""


def test_a_password_is_taken_as_it_is() -> None:
    """With blanks and quotes, which are nobody's business."""
    assert parse_password(" p'\"$ ä ") == " p'\"$ ä "


def test_nothing_of_it_is_shown() -> None:
    """A value that is printed by accident tells nothing."""
    assert repr(Access(Ssh("canary-host", 22, "root"), "canary-password", "https://canary")) == "Access()"
