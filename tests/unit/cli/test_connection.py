"""Requests as the API server gets them, and its answers as the commands get them: over a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.cli.cluster import INSTANCES, UPGRADES, Cluster
from gpuinstance.cli.endings import ClusterTrouble
from tests.unit.cli.objects import Object

ROOT = "/apis/gpuinstance.dev/v1alpha1/namespaces/team-a"
OF = ObjectMeta(name="trainer", namespace="team-a", uid="u-1", resource_version="7")


@dataclass
class Server:
    """An API server that notes what it is asked, and answers as a test says."""

    answer: Callable[[BaseHTTPRequestHandler], None]
    asked: list[tuple[str, str, str, Object | None]] = field(default_factory=list)
    """Method, target, content type, body."""
    over: Event = field(default_factory=Event)
    """Set at the end: who is still silent then, stops being so."""


def says(code: int, document: Object) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        body = json.dumps(document).encode()
        request.send_response(code)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def streams(*pieces: bytes, then: Callable[[], object] = bool) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer in chunks, as an API server sends a watch; before its end, `then`."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for piece in pieces:
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        then()
        request.wfile.write(b"0\r\n\r\n")

    return answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, Cluster]]:
    noted = Server(says(200, {"kind": "Anything"}))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type") or ""
            noted.asked.append((self.command, self.path, kind, json.loads(body) if body else None))
            noted.answer(self)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names that the server looks for

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    config = tmp_path / "config"
    entry = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{listening.server_port}"}}
    context = {"name": "here", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "t"}}
    config.write_text(
        json.dumps({"clusters": [entry], "users": [user], "contexts": [context], "current-context": "here"})
    )
    cluster = Cluster(kubeconfig=str(config))
    yield noted, cluster
    cluster.close()
    noted.over.set()
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_change_is_of_this_life_only(server: tuple[Server, Cluster]) -> None:
    """A merge patch under our name; with the version, if nobody may have written since."""
    noted, cluster = server
    cluster.patch_spec(OF, {"powerState": "Stopped"})
    cluster.patch_spec(OF, {"confirm": True}, rehearse=True, unchanged=True, resource=UPGRADES)
    assert noted.asked == [
        (
            "PATCH",
            f"{ROOT}/gpuinstances/trainer?fieldManager=kubectl-gpu",
            "application/merge-patch+json",
            {"metadata": {"uid": "u-1"}, "spec": {"powerState": "Stopped"}},
        ),
        (
            "PATCH",
            f"{ROOT}/instanceupgrades/trainer?fieldManager=kubectl-gpu&dryRun=All",
            "application/merge-patch+json",
            {"metadata": {"uid": "u-1", "resourceVersion": "7"}, "spec": {"confirm": True}},
        ),
    ]


def test_create_and_delete(server: tuple[Server, Cluster]) -> None:
    """Rehearsed where that is asked for; a deletion is of this life only."""
    noted, cluster = server
    cluster.create(UPGRADES, "team-a", {"spec": {}}, rehearse=True)
    cluster.delete(OF)
    cluster.delete(OF, rehearse=True)
    created, deleted, rehearsed = noted.asked
    assert created[:2] == ("POST", f"{ROOT}/instanceupgrades?fieldManager=kubectl-gpu&dryRun=All")
    assert deleted[:2] == ("DELETE", f"{ROOT}/gpuinstances/trainer")
    assert deleted[3] == {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u-1"}}
    assert rehearsed[3] == deleted[3] | {"dryRun": ["All"]}


def test_patience_is_asked_before_each_page(server: tuple[Server, Cluster]) -> None:
    """So that a list of many pages can have one end; with no time left, nothing more is asked."""
    noted, cluster = server
    noted.answer = says(200, {"metadata": {"continue": "more"}, "items": []})
    left = iter([30.0, 20.0])

    def patience() -> float:
        try:
            return next(left)
        except StopIteration:
            raise ClusterTrouble("too late") from None

    with pytest.raises(ClusterTrouble, match="too late"):
        cluster.list(INSTANCES, "team-a", patience=patience)
    assert [it[1] for it in noted.asked] == [
        f"{ROOT}/gpuinstances?limit=500",
        f"{ROOT}/gpuinstances?limit=500&continue=more",
    ]


def test_a_watch_is_read_line_by_line(server: tuple[Server, Cluster]) -> None:
    """However the lines are cut on their way; what is no object is passed over."""
    noted, cluster = server
    noted.answer = streams(b'{"type":"ADD', b'ED"}\n{"type":"MODIFIED"}\nnoise\n', b'{"type":"BOOKMARK"}\n{"half')
    events = cluster.watch(INSTANCES, "team-a", "41", fields="metadata.name=trainer", seconds=30)
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "BOOKMARK"]
    assert noted.asked[0][1] == (
        f"{ROOT}/gpuinstances?watch=true&allowWatchBookmarks=true&resourceVersion=41&timeoutSeconds=29"
        "&fieldSelector=metadata.name%3Dtrainer"
    )


def test_a_watch_that_falls_silent_is_lost(server: tuple[Server, Cluster]) -> None:
    """After the patience that it was given, and not after minutes."""
    noted, cluster = server
    noted.answer = streams(b'{"type":"ADDED"}\n', then=lambda: noted.over.wait(30))
    events = cluster.watch(INSTANCES, "team-a", "41", seconds=0.3)
    assert next(events) == {"type": "ADDED"}
    with pytest.raises(ClusterTrouble, match="cannot reach the cluster") as caught:
        next(events)
    assert caught.value.status is None


@pytest.mark.parametrize("code", [403, 409, 410, 500])
def test_a_refusal_is_told_by_its_status(server: tuple[Server, Cluster], code: int) -> None:
    """In the API server's words, whatever was asked."""
    noted, cluster = server
    noted.answer = says(code, {"kind": "Status", "message": "not so"})
    asks: list[Callable[[], object]] = [
        lambda: cluster.get(INSTANCES, "team-a", "trainer"),
        lambda: cluster.list(INSTANCES, None),
        lambda: list(cluster.watch(INSTANCES, "team-a", "41", seconds=9)),
        lambda: cluster.patch_spec(OF, {}),
    ]
    for ask in asks:
        with pytest.raises(ClusterTrouble, match="the cluster refused: not so") as caught:
            ask()
        assert caught.value.status == code
