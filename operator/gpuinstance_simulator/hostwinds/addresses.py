"""Loopback addresses for simulated servers: each its own, in 127.77.0.0/16.

On Linux the whole of 127.0.0.0/8 is this host, so that nothing has to be set up. Two simulators on one host
must not give out the same addresses: each claims a block of them by holding a socket at its first one.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

_NETWORKS_IN_BLOCK = 8
_BLOCKS = 256 // _NETWORKS_IN_BLOCK
_HOSTS = range(2, 255)
ADDRESSES_IN_BLOCK = _NETWORKS_IN_BLOCK * len(_HOSTS)
_CLAIM_PORT = 47_711
"""Any number that nobody else is likely to use."""


def ip(block: int, number: int) -> str:
    """The address with this number, counted from 1, in a block."""
    network, host = divmod(number - 1, len(_HOSTS))
    return f"127.77.{block * _NETWORKS_IN_BLOCK + network}.{_HOSTS[host]}"


class Claim:
    """A block of addresses that no other simulator uses until `release`."""

    def __init__(self, ports: Iterable[int]) -> None:
        """Raises OSError if no block is free, or one of `ports` cannot be had in it."""
        self.block, self._guard = _first_free()
        try:
            for port in ports:
                _bound(_first_of(self.block), port).close()
        except OSError as error:
            self.release()
            raise OSError(f"port {port} of the simulated servers is in use on this host: {error}") from error

    def release(self) -> None:
        """Let others have the block."""
        self._guard.close()


def _first_free() -> tuple[int, socket.socket]:
    for block in range(_BLOCKS):
        with contextlib.suppress(OSError):
            return block, _bound(_first_of(block), _CLAIM_PORT)
    raise OSError("all blocks of loopback addresses are in use")


def _first_of(block: int) -> str:
    return f"127.77.{block * _NETWORKS_IN_BLOCK}.1"


def _bound(host: str, port: int) -> socket.socket:
    it = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        it.bind((host, port))
    except OSError:
        it.close()
        raise
    return it
