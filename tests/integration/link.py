"""The road between one operator and the API server: it can be long, and it can be cut.

A test gives an operator a kubeconfig that leads over a link. Bytes pass as they are, TLS included; what comes
back may take its time, so that a moment between a write and its answer lasts long enough to be met.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

_CHUNK = 65536
_LOOK_SECONDS = 0.2
"""How often it is looked whether the link is still there."""


class Link:
    """Listens on loopback and passes everything on to `target`."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.delay = 0.0
        """Seconds that each piece of an answer is on its way."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = True
        self._breaks = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def interrupt(self) -> None:
        """Break all connections; new ones are accepted."""
        self._breaks += 1

    def cut(self) -> None:
        """Break all connections, and accept no more."""
        self._open = False
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            if _readable(self._listener):
                near, _ = self._listener.accept()
                carrier = threading.Thread(target=self._carry, args=(near,), daemon=True)
                self._threads.append(carrier)
                carrier.start()

    def _carry(self, near: socket.socket) -> None:
        """Serve one connection."""
        breaks = self._breaks
        with near, contextlib.suppress(OSError), socket.create_connection(self._target) as far:
            while self._open and breaks == self._breaks:
                for source in _readable(near, far):
                    piece = source.recv(_CHUNK)
                    if not piece:
                        return
                    if source is far:
                        time.sleep(self.delay)
                    (near if source is far else far).sendall(piece)


def _readable(*ends: socket.socket) -> list[socket.socket]:
    return select.select(ends, [], [], _LOOK_SECONDS)[0]
