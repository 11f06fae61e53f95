"""A release that serves all namespaces stands alone: helm refuses a second one, with an API server that is asked.

Its answers are made up here: which releases there are, and no more of discovery than helm needs to render.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread
from typing import Any

import pytest

from tests.chart.helm import CHART, NAME, Helm, Manifest, Values

RBAC = "rbac.authorization.k8s.io/v1"
BINDINGS = f"/apis/{RBAC}/clusterrolebindings"
REFUSED = "serves all namespaces already"


def binding(name: str, release: tuple[str, str] | None = None, chart: str = f"{NAME}-0.1.0") -> Manifest:
    """Return what gives an operator its rights in all namespaces; `release` is its name and namespace."""
    keys = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
    notes = {"annotations": dict(zip(keys, release, strict=True))} if release is not None else {}
    metadata = {"name": name, "labels": {"helm.sh/chart": chart}, **notes}
    return {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": metadata}


FIRST = binding(f"first-{NAME}", ("first", "one"))


def resource(kind: str) -> dict[str, Any]:
    plural = f"{kind.lower().removesuffix('y')}ies" if kind.endswith("y") else f"{kind.lower()}s"
    return {"name": plural, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get", "list"]}


@contextmanager
def api_server(rendered: list[Manifest], bindings: list[Manifest]) -> Iterator[str]:
    """Serve the kinds that the chart renders and these objects; yield the address."""
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for manifest in [*rendered, FIRST]:
        kinds[manifest["apiVersion"]].add(manifest["kind"])
    answers: dict[str, Any] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "groups": []},
        BINDINGS: {"kind": "ClusterRoleBindingList", "apiVersion": RBAC, "metadata": {}, "items": bindings},
    }
    for version, of in kinds.items():
        resources = [resource(kind) for kind in sorted(of)]
        found = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        answers[f"/apis/{version}" if "/" in version else f"/api/{version}"] = found
        if "/" in version:
            group = {"groupVersion": version, "version": version.partition("/")[2]}
            versions = {"name": version.partition("/")[0], "versions": [group], "preferredVersion": group}
            answers["/apis"]["groups"].append(versions)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            body = json.dumps(found or {"kind": "Status", "code": 404, "reason": "NotFound"}).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def attempt(
    helm: Helm, folder: Path, bindings: list[Manifest], release: tuple[str, str], values: Values
) -> CompletedProcess[str]:
    """Let helm render a release beside what there is, as it does before it installs."""
    with api_server(helm.manifests(values=values), bindings) as address:
        config = folder / "kubeconfig"
        parts = {
            "clusters": [{"name": "it", "cluster": {"server": address}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "users": [{"name": "it", "user": {}}],
        }
        config.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "it", **parts}))
        name, namespace = release
        options = ("--namespace", namespace, "--dry-run=server", "--disable-openapi-validation")
        return helm.attempt("template", name, str(CHART), *options, "--kubeconfig", str(config), values=values)


@pytest.mark.parametrize(
    ("first", "who"),
    [
        (FIRST, "release first in namespace one"),
        (binding("plain"), "ClusterRoleBinding plain"),
        (binding("other", ("second", "elsewhere")), "release second in namespace elsewhere"),
    ],
)
def test_a_second_release_for_all_namespaces_is_refused(helm: Helm, tmp_path: Path, first: Manifest, who: str) -> None:
    """In words that say which one is there; also one of the same name elsewhere, or one that helm has not made."""
    done = attempt(helm, tmp_path, [first], ("second", "two"), {"policies": {"enabled": False}})
    assert done.returncode != 0
    assert f"{who} {REFUSED}" in done.stderr


@pytest.mark.parametrize(
    ("story", "bindings", "release", "values"),
    [
        ("the same release, later", [FIRST], ("first", "one"), {}),
        ("the same release under another name", [FIRST], ("first", "one"), {"fullnameOverride": "renamed"}),
        ("one that serves other namespaces", [FIRST], ("second", "two"), {"watchNamespaces": ["a"]}),
        ("one whose rights others grant", [FIRST], ("second", "two"), {"rbac": {"create": False}}),
        ("what is taken over by its name", [binding(f"x-{NAME}")], ("x", "x"), {}),
        ("another chart", [binding("x", ("x", "x"), f"{NAME}-extras-1.0.0")], ("second", "two"), {}),
        ("an empty cluster", [], ("second", "two"), {}),
    ],
)
def test_everything_else_is_rendered(
    helm: Helm, tmp_path: Path, story: str, bindings: list[Manifest], release: tuple[str, str], values: Values
) -> None:
    """Whatever does not serve the same objects, and what only changes a release."""
    done = attempt(helm, tmp_path, bindings, release, values)
    assert done.returncode == 0, (story, done.stderr)
