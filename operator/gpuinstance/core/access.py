"""How a person or a program gets into a running machine, and the strict reading of what a provider says about it.

Made by adapters, which hand over parts and never a provider's own text: a command that people paste into a shell,
and that programs run, must not be able to hold an option or a second command. All of it is secret and is shown by
no `repr`; it goes into the connection Secret and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SSH_PORT = 22
_LAST_PORT = 65535
_LONGEST_PASSWORD = 512

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_LONGEST_NAME = 253
_COMMAND = re.compile(
    r"ssh(?: -p ?(?P<before>[0-9]{1,5}))? (?P<user>[^@\s]+)@(?P<host>\S+?)(?: -p ?(?P<after>[0-9]{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Ssh:
    """Where SSH answers, and as whom one logs in. `host` is a name or an address, without brackets."""

    host: str
    port: int
    user: str

    @property
    def command(self) -> str:
        """The command for it, made up from parts that are known to be harmless."""
        return f"ssh -p {self.port} {self.user}@{self.host}"


@dataclass(frozen=True, slots=True)
class Access:
    """The ways into one running machine, as far as its provider tells them."""

    ssh: Ssh | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)
    """Of the user of `ssh`; empty where there is none."""
    jupyter_url: str = field(default="", repr=False)
    """Without query: a provider that puts a token there is not known."""


def ssh_to(host: str, *, user: str = "root", port: int = SSH_PORT) -> Ssh | None:
    """Return the way to a host; None where one of the parts is not what it should be."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_host = (len(bare) <= _LONGEST_NAME and _NAME.fullmatch(bare)) or (":" in bare and _IPV6.fullmatch(bare))
    if not is_host or not _USER.fullmatch(user) or not 0 < port <= _LAST_PORT:
        return None
    return Ssh(bare, port, user)


def parse_ssh(command: str) -> Ssh | None:
    """Return the way that a command like `ssh -p 32787 root@host` goes; None for anything else.

    Options other than the port, a second host, a remote command, quotes, or whatever a shell would interpret: all
    of it makes the text useless, and none of it is passed on.
    """
    match = _COMMAND.fullmatch(command.strip())
    if match is None or (match["before"] and match["after"]):
        return None
    port = int(match["before"] or match["after"] or SSH_PORT)
    return ssh_to(match["host"], user=match["user"], port=port)


def parse_password(text: str) -> str:
    """Return a password as it is, empty for what cannot be one: several lines, control characters, a page of text."""
    return text if len(text) <= _LONGEST_PASSWORD and text.isprintable() else ""
