"""Which addresses are public, in every spelling and disguise. Pure: nothing is resolved or connected here."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),  # holds 100.100.100.200, a metadata service
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "metadata"),  # the platform of Azure, on a public-looking address
    ("169.254.0.0/16", "link-local"),  # holds 169.254.169.254, the metadata service of most clouds
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "special-purpose"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "tunnel"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "special-purpose"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("fc00::/7", "private"),  # unique local; holds the IPv6 metadata services
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
    ("2001::/23", "special-purpose"),  # holds Teredo, which hides an IPv4 address
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "tunnel"),  # 6to4 hides an IPv4 address
    ("3fff::/20", "documentation"),
)
"""From IANA's registries of special-purpose addresses (RFC 6890), in words for people."""

_REFUSED: tuple[tuple[Network, str], ...] = tuple((ip_network(text), kind) for text, kind in _NOT_PUBLIC)
_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")

_HOST_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_-]{1,63}\.?")
_LOOKS_LIKE_A_NUMBER = re.compile(r"(?:\d+|0[xX][0-9A-Fa-f]*)\.?")


class TargetNotAllowed(Exception):
    """The address must not be connected to. The text is short, stable, and holds no resolved address."""


def literal_or_name(host: str) -> Address | None:
    """Return the address that `host` spells, None if it is a name.

    Raises TargetNotAllowed for everything that is neither in plain spelling: numbers that some libraries
    read as addresses (2130706433, 0x7f.1, 0177.0.0.1, 127.1), zones, escapes and characters of other
    alphabets.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ip_address(bare)
    except ValueError:
        address = None
    if address is not None:
        if isinstance(address, IPv6Address) and address.scope_id:
            raise TargetNotAllowed("an address with a zone is not allowed")
        return address
    if _LOOKS_LIKE_A_NUMBER.fullmatch(bare.rstrip(".").rpartition(".")[2]):
        raise TargetNotAllowed("an address in an unusual spelling is not allowed")
    if not _HOST_NAME.fullmatch(bare):
        raise TargetNotAllowed("the host name is not valid")
    return None


def require_plain_url(url: httpx.URL) -> None:
    """Raise TargetNotAllowed unless it is http or https, with a plain host and port and no user information."""
    if url.scheme not in ("http", "https"):
        raise TargetNotAllowed("only http and https are allowed")
    if url.userinfo:
        raise TargetNotAllowed("user information in a URL is not allowed")
    if url.port == 0:  # httpcore would take it for the default port
        raise TargetNotAllowed("the port is not valid")
    literal_or_name(url.host)


def kind_of(address: Address) -> str | None:
    """Return what kind of non-public address it is, e.g. `private`; None for a public one."""
    kind = next((kind for network, kind in _REFUSED if address in network), None)
    if kind is None and isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "non-public"
    return kind


def undisguised(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself.

    Only the two disguises with an honest use: mapped addresses, which resolvers make for IPv4-only names,
    and NAT64, by which IPv6-only clusters reach them. All others are refused as ranges.
    """
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
