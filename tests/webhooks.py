"""A receiver of webhooks as a customer would run one: it verifies by the reference library of Standard Webhooks.

It writes down every delivery, and can be told to answer otherwise, to drop connections, or to keep them waiting. It
asserts nothing about the product, but a delivery that the library does not accept is refused and remembered.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError


def secret(seed: int = 1) -> str:
    """Return a signing secret; each seed has its own."""
    return "whsec_" + base64.b64encode(bytes((seed * 37 + n * 11) % 256 for n in range(32))).decode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has arrived."""

    path: str
    id: str
    notice: dict[str, Any]
    headers: Mapping[str, str]
    body: str

    @property
    def type(self) -> str:
        """What has happened."""
        return str(self.notice["type"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver does with a delivery."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    """The connection is closed without an answer, after all has arrived."""
    body: bytes = b""
    hold: threading.Event | None = None
    """Nothing is answered before this is set."""


OK, DROP = Answer(), Answer(drop=True)


class Receiver:
    """Listens on 127.0.0.1 while the context lasts. What it accepts is in `taken`, everything in `arrived`."""

    def __init__(self, signing_secret: str | None = None) -> None:
        self.signing_secret = signing_secret or secret()
        self.arrived: list[Delivery] = []
        self.taken: list[Delivery] = []
        self.unverified: list[str] = []
        self.script: list[Answer] = []
        """The next answers; when they are used up, `otherwise` is given."""
        self.otherwise = OK
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hooks"

    def types(self, name: str | None = None) -> list[str]:
        """Return what it was told, each notification once, in the order of their first acceptance."""
        seen: dict[str, str] = {}
        for it in list(self.taken):
            if name is None or it.notice["data"]["name"] == name:
                seen.setdefault(it.id, it.type)
        return list(seen.values())

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Judge one delivery."""
        try:
            notice = Webhook(self.signing_secret).verify(body, dict(headers))
        except WebhookVerificationError as error:
            self.unverified.append(str(error))
            return Answer(status=401)
        lower = {name.lower(): value for name, value in headers.items()}
        delivery = Delivery(path, lower["webhook-id"], notice, lower, body.decode())
        with self._lock:
            self.arrived.append(delivery)
            answer = self.script.pop(0) if self.script else self.otherwise
            if not answer.drop and answer.status < 300:
                self.taken.append(delivery)
        return answer

    def say(self, answers: Sequence[Answer], otherwise: Answer = OK) -> None:
        """From now on give these answers, and then this one."""
        with self._lock:
            self.script, self.otherwise = list(answers), otherwise

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            answer = receiver.take(self.path, dict(self.headers.items()), body)
            if answer.hold is not None:
                answer.hold.wait(30)
            if answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
            """Say nothing."""

    return Handler
