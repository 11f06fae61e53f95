"""The command against an API server, through the user's kubeconfig and the official client."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gpuinstance import __version__
from gpuinstance.cli.command import run
from tests.unit.cli import objects
from tests.unit.cli.objects import NOW, Object

ROOT = "/apis/gpuinstance.dev/v1alpha1"


def status(code: int, reason: str, message: str, **details: str) -> tuple[int, Object]:
    return code, {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details}


@dataclass
class Api:
    """What the API server answers, by path, and what it was asked."""

    answers: dict[str, tuple[int, Object]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, target: str) -> tuple[int, Object]:
        """Answer one GET."""
        self.asked.append(target)
        url = urlsplit(target)
        following = parse_qs(url.query).get("continue", [""])[0]
        return self.answers.get(url.path + following, status(404, "NotFound", "page not found"))

    def holds(self, *objects: Object, plural: str = "gpuinstances", namespace: str = "team-a") -> None:
        """Let these be all objects of their kind in the namespace, and in the cluster."""
        for it in objects:
            self.answers[f"{ROOT}/namespaces/{namespace}/{plural}/{it['metadata']['name']}"] = 200, it
        page = {"kind": "List", "metadata": {}, "items": list(objects)}
        self.answers[f"{ROOT}/namespaces/{namespace}/{plural}"] = 200, page
        self.answers[f"{ROOT}/{plural}"] = 200, page


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[ThreadingHTTPServer, list[Api]]]:
    current: list[Api] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, document = current[-1].answer(self.path)
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield listening, current
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def api(server: tuple[ThreadingHTTPServer, list[Api]]) -> Api:
    listening, current = server
    current.append(Api(url=f"http://127.0.0.1:{listening.server_port}"))
    return current[-1]


@dataclass
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


Kubectl = Callable[..., Result]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def gpu(api: Api, tmp_path: Path) -> Kubectl:
    """Run `kubectl gpu ...` with a kubeconfig whose current context is in namespace team-a."""
    path = tmp_path / "config"

    def kubectl(*argv: str, terminal: bool = False, env: dict[str, str] | None = None) -> Result:
        contexts = {"here": "team-a", "there": None}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": api.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [
                {"name": name, "context": {"cluster": "c", "user": "u"} | ({"namespace": ns} if ns else {})}
                for name, ns in contexts.items()
            ],
        }
        path.write_text(yaml.safe_dump(config))
        out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
        code = run([*argv, "--kubeconfig", str(path)], out, err, env or {}, lambda: NOW)
        return Result(code, out.getvalue(), err.getvalue())

    return kubectl


def test_list_shows_the_namespace_of_the_context(api: Api, gpu: Kubectl) -> None:
    """As kubectl does; nothing but the table goes to a pipe."""
    api.holds(objects.ready())
    result = gpu("list")
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()] == ["NAME", "trainer"]
    assert urlsplit(api.asked[0]).path == f"{ROOT}/namespaces/team-a/gpuinstances"


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        (["-n", "other"], "/namespaces/other/gpuinstances"),
        (["--namespace=other", "--context", "there"], "/namespaces/other/gpuinstances"),
        (["--context", "there"], "/namespaces/default/gpuinstances"),
        (["-A"], "/gpuinstances"),
    ],
)
def test_namespaces_and_contexts(api: Api, gpu: Kubectl, argv: list[str], path: str) -> None:
    """The flags mean what they mean to kubectl."""
    gpu("list", *argv)
    assert urlsplit(api.asked[0]).path == ROOT + path


def test_all_pages_are_read(api: Api, gpu: Kubectl) -> None:
    """A large cluster is listed in pieces."""
    path = f"{ROOT}/gpuinstances"
    api.answers[path] = 200, {"metadata": {"continue": "more"}, "items": [objects.ready()]}
    api.answers[path + "more"] = 200, {"metadata": {}, "items": [objects.instance("second", "team-b")]}
    assert [line.split()[:2] for line in gpu("list", "-A").out.splitlines()[1:]] == [
        ["team-a", "trainer"],
        ["team-b", "second"],
    ]


def test_json_and_names_are_for_programs(api: Api, gpu: Kubectl) -> None:
    """As kubectl prints them."""
    api.holds(objects.ready(), objects.instance("second"))
    document = json.loads(gpu("list", "-o", "json").out)
    assert (document["kind"], len(document["items"])) == ("List", 2)
    assert document["items"][0] == objects.ready()
    assert gpu("list", "-o", "name").out == (
        "gpuinstance.gpuinstance.dev/trainer\ngpuinstance.gpuinstance.dev/second\n"
    )


def test_nothing_to_list_is_said_aside(api: Api, gpu: Kubectl) -> None:
    """A script that counts lines counts none; -o json gives an empty list."""
    api.holds()
    result = gpu("list")
    assert (result.code, result.out, result.err) == (0, "", "No instances found in namespace team-a.\n")
    assert gpu("list", "-A").err == "No instances found.\n"
    assert json.loads(gpu("list", "-o", "json").out)["items"] == []


def test_a_terminal_gets_colours_and_a_summary(api: Api, gpu: Kubectl) -> None:
    """Unless NO_COLOR or a dumb terminal forbids them."""
    api.holds(objects.ready())
    coloured = gpu("list", terminal=True)
    assert "\x1b[32mReady\x1b[0m" in coloured.out
    assert "1 instance, 1 ready, $1.4/h" in coloured.out
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in gpu("list", terminal=True, env=env).out


@pytest.mark.parametrize("name", ["trainer", "gpui/trainer", "gpuinstance.gpuinstance.dev/trainer"])
def test_why(api: Api, gpu: Kubectl, name: str) -> None:
    """By name, also as kubectl prints names."""
    api.holds(objects.starting())
    result = gpu("why", name)
    assert result.code == 0
    assert result.out.startswith("team-a/trainer is not Ready: HealthChecking\n")
    assert "WHAT TO DO" in result.out


@pytest.mark.parametrize("kind", ["iup", "instanceupgrade", "instanceupgrade.gpuinstance.dev", "InstanceUpgrade"])
def test_why_of_an_upgrade(api: Api, gpu: Kubectl, kind: str) -> None:
    """It is asked for by its kind, as kubectl takes it."""
    api.holds(objects.awaiting_payment(), plural="instanceupgrades")
    result = gpu("why", f"{kind}/bigger")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("team-a/bigger waits for somebody: AwaitingPayment\n")


def test_an_upgrade_that_does_not_exist(gpu: Kubectl, api: Api) -> None:
    """It is not looked for among the instances."""
    path = f"{ROOT}/namespaces/team-a/instanceupgrades/x"
    api.answers[path] = status(404, "NotFound", 'instanceupgrades "x" not found', name="x")
    api.holds(objects.instance("x"))
    result = gpu("why", "iup/x")
    assert result.code == 3
    assert result.err == 'error: InstanceUpgrade "x" not found in namespace team-a\n'


def test_only_an_instance_can_be_abandoned(gpu: Kubectl, api: Api) -> None:
    """An instance of the upgrade's name is not meant."""
    api.holds(objects.instance("bigger"))
    result = gpu("abandon", "iup/bigger", "--confirm", "bigger")
    assert (result.code, api.asked) == (2, [])
    assert "is an upgrade" in result.err


def test_a_terminal_is_told_about_open_upgrades(api: Api, gpu: Kubectl) -> None:
    """One line each, below the instances; those that have ended, and those that may not be seen, are left out."""
    api.holds(objects.ready())
    assert "iup/" not in gpu("list", terminal=True).out, "the cluster does not show them"
    ended = objects.upgrade("done", phase="Completed", outcome="Succeeded")
    api.holds(objects.awaiting_payment(), objects.upgrade("new"), ended, plural="instanceupgrades")
    shown = gpu("list", terminal=True, env={"NO_COLOR": "1"}).out.splitlines()
    assert shown[-2:] == [
        "iup/bigger of web: AwaitingPayment, invoice 416 of 4.00 USD",
        "iup/new of web: not looked at yet",
    ]
    assert "iup/" not in gpu("list").out


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (
            status(404, "NotFound", 'gpuinstances "x" not found', name="x"),
            3,
            'GPUInstance "x" not found in namespace team-a',
        ),
        ((404, {}), 1, "the operator's CRDs are not installed"),
        (status(401, "Unauthorized", "Unauthorized"), 1, "does not accept your credentials: log in again"),
        (status(403, "Forbidden", "gpuinstances is forbidden: User cannot"), 1, "refused: gpuinstances is forbidden"),
        ((500, {}), 1, "the cluster refused: Internal Server Error"),
        ((200, {"spec": {}}), 1, "another version wrote it"),
    ],
)
def test_trouble_is_told_in_one_line(api: Api, gpu: Kubectl, answer: tuple[int, Object], code: int, words: str) -> None:
    """With an exit code, and no traceback."""
    api.answers[f"{ROOT}/namespaces/team-a/gpuinstances/x"] = answer
    result = gpu("why", "x")
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("error: ")
    assert words in result.err
    assert result.err.count("\n") == 1


def test_an_unreachable_cluster(api: Api, gpu: Kubectl) -> None:
    """Nothing listens there."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        api.url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        result = gpu("list")
    assert result.code == 1
    assert result.err.startswith(f"error: cannot reach the cluster at {api.url}: ")


def test_no_kubeconfig(tmp_path: Path) -> None:
    """The file is named."""
    err = io.StringIO()
    assert run(["list", "--kubeconfig", str(tmp_path / "none")], io.StringIO(), err, {}) == 1
    assert err.getvalue().startswith("error: no usable kubeconfig: ")


def test_a_context_that_does_not_exist(gpu: Kubectl) -> None:
    """It is named."""
    result = gpu("list", "--context", "nowhere")
    assert result.code == 1
    assert "nowhere" in result.err


def test_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """And each command explains itself; the plugin without one explains all, as kubectl does."""
    for argv in ([], ["--help"], ["list", "--help"], ["why", "--help"]):
        with pytest.raises(SystemExit) as end:
            run(argv, io.StringIO(), io.StringIO(), {})
        assert end.value.code == 0
    shown = capsys.readouterr().out
    for text in ("exit codes:", "0  the question was answered", "3  the named object does not exist", "--context"):
        assert text in shown


@pytest.mark.parametrize("argv", [["dance"], ["why"], ["list", "-o", "xml"]])
def test_bad_arguments_end_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And say what was expected."""
    with pytest.raises(SystemExit) as end:
        run(argv, io.StringIO(), io.StringIO(), {})
    assert end.value.code == 2
    assert "usage: kubectl gpu" in capsys.readouterr().err


def test_version_needs_no_cluster() -> None:
    """It is that of this command."""
    out = io.StringIO()
    assert run(["version"], out, io.StringIO(), {"KUBECONFIG": "/nowhere"}) == 0
    assert out.getvalue() == f"kubectl-gpu {__version__}\n"
