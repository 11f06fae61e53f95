"""Addresses by which somebody may try to make the operator talk to what is inside, each with its story."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from gpuinstance.guard import NameNotResolved
from gpuinstance.guard.addresses import Address

NAMES: dict[str, list[str]] = {
    "metadata.google.internal": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "one-of-two.example": ["93.184.215.14", "10.0.0.1"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "public-services.example": ["198.145.29.1"],
}
"""What the name server of these tests says."""

DENIED = "198.145.29.0/24"
"""A range that looks public and is configured as the range of services, pods or nodes."""

URLS: tuple[tuple[str, str], ...] = (
    ("http://127.0.0.1/", "loopback"),
    ("http://127.8.8.8:8080/", "loopback is a whole network"),
    ("http://[::1]/", "loopback of IPv6"),
    ("http://0.0.0.0/", "unspecified means this host on Linux"),
    ("http://[::]/", "unspecified of IPv6"),
    ("http://169.254.169.254/latest/meta-data/", "metadata of most clouds"),
    ("http://[fd00:ec2::254]/", "metadata of AWS over IPv6"),
    ("http://metadata.google.internal/", "metadata of Google, by name"),
    ("http://100.100.100.200/", "metadata of Alibaba, in the CGNAT range"),
    ("http://192.0.0.192/", "metadata of Oracle"),
    ("http://168.63.129.16/", "platform of Azure, on a public-looking address"),
    ("http://10.0.0.1:10250/", "private; the kubelet"),
    ("http://172.31.255.255:2379/", "private; etcd"),
    ("http://192.168.1.1:22/", "private; SSH"),
    ("https://10.96.0.1:6443/", "private; the API server"),
    ("http://100.64.0.1/", "carrier-grade NAT"),
    ("http://198.18.0.1/", "benchmarking"),
    ("http://224.0.0.1/", "multicast"),
    ("http://255.255.255.255/", "broadcast"),
    ("http://240.0.0.1/", "reserved"),
    ("http://[fc00::1]/", "unique local"),
    ("http://[fe80::1]/", "link-local of IPv6"),
    ("http://[fe80::1%25eth0]/", "link-local with a zone"),
    ("http://[ff02::1]/", "multicast of IPv6"),
    ("http://[fec0::1]/", "site-local"),
    ("http://[2001:db8::1]/", "documentation"),
    ("http://[4000::1]/", "not global unicast at all"),
    ("http://[::ffff:10.0.0.1]/", "mapped IPv4"),
    ("http://[::ffff:7f00:1]/", "mapped IPv4, in hexadecimal"),
    ("http://[::127.0.0.1]/", "IPv4-compatible"),
    ("http://[::ffff:0:127.0.0.1]/", "IPv4-translated"),
    ("http://[2002:7f00:1::]/", "6to4 around loopback"),
    ("http://[64:ff9b::a9fe:a9fe]/", "NAT64 around the metadata address"),
    ("http://[64:ff9b:1::a00:1]/", "local NAT64"),
    ("http://[2001:0:a00:1::80ff:fffe]/", "Teredo"),
    ("http://2130706433/", "loopback as one number"),
    ("http://0x7f000001/", "loopback in hexadecimal"),
    ("http://0x7f.1/", "loopback in two parts"),
    ("http://0177.0.0.1/", "loopback in octal"),
    ("http://127.1/", "loopback, shortened"),
    ("http://127.0.0.1./", "loopback with a trailing dot"),
    ("http://127.0.0.%31/", "loopback, escaped"),
    ("http://\uff11\uff12\uff17.0.0.1/", "loopback in full-width digits"),
    ("http://127\u30020\u30020\u30021/", "loopback with ideographic dots"),
    ("http://ok@127.0.0.1/", "user information"),
    ("http://93.184.215.14@127.0.0.1/", "user information that looks like the host"),
    ("http://someone:secret@93.184.215.14/", "user information before a public address"),
    ("http://93.184.215.14\\@127.0.0.1/", "a backslash before the host"),
    ("http://localhost/", "loopback by name"),
    ("http://localhost./", "loopback by name, with a trailing dot"),
    ("http://127.0.0.1.nip.io/", "a public name of loopback"),
    ("https://kubernetes.default.svc/", "the API server by name"),
    ("http://one-of-two.example/", "two addresses, one of them private"),
    ("http://mapped.example/", "a name with a mapped address"),
    ("http://public-services.example/", "a configured range"),
    ("file:///etc/passwd", "a file"),
    ("gopher://93.184.215.14:70/", "another scheme"),
    ("ftp://93.184.215.14/", "another scheme"),
    ("unix:///var/run/docker.sock", "a local socket"),
    ("http://93.184.215.14:0/", "port 0"),
    ("http://93.184.215.14:70000/", "no port number"),
)
"""(URL, what it is). None of them may ever be connected to."""


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Answer as the name server of these tests."""
    if host not in NAMES:
        raise NameNotResolved(host)
    return [ip_address(text) for text in NAMES[host]]
