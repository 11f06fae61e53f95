"""What the guard before `helm uninstall` asks the API server, and what it says; on a real one it is in test_life."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from tests.chart.helm import CHART

GUARD = runpy.run_path(str(CHART / "files" / "guard.py"), run_name="guard")


class Api:
    """An API server with so many objects in each list, which gives no more than it is asked for."""

    def __init__(self, count: int, *, counted: bool = True, status: int | None = None) -> None:
        self._count, self._counted, self._status = count, counted, status
        self.asked: list[dict[str, Any]] = []

    def list_cluster_custom_object(self, _group: str, _version: str, plural: str, **how: Any) -> dict[str, Any]:
        """List those of all namespaces."""
        return self.list_namespaced_custom_object(_group, _version, "team-a", plural, **how)

    def list_namespaced_custom_object(
        self, _group: str, _version: str, namespace: str, plural: str, **how: Any
    ) -> dict[str, Any]:
        """List those of one."""
        self.asked.append(how)
        if self._status is not None:
            raise ApiException(status=self._status)
        items = [{"metadata": {"name": f"{plural[0]}-{n}", "namespace": namespace}} for n in range(self._count)]
        given = items[: how["limit"]]
        metadata: dict[str, Any] = {"continue": "more"} if len(given) < len(items) else {}
        if metadata and self._counted:
            metadata["remainingItemCount"] = len(items) - len(given)
        return {"metadata": metadata, "items": given}


def left(api: Api, *namespaces: str) -> tuple[list[str], int]:
    found: tuple[list[str], int] = GUARD["left"](api, list(namespaces))
    return found


def test_no_more_is_loaded_than_is_shown() -> None:
    """Thousands of objects do not fit into the Job's memory; the API server counts those that are not sent."""
    api = Api(5000)
    named, count = left(api)
    assert (len(named), count) == (2 * GUARD["SHOWN"], 10_000)
    assert named[0] == "gpuinstances/g-0 in team-a"
    assert {how["limit"] for how in api.asked} == {GUARD["SHOWN"]}
    assert left(Api(3), "a", "b") == ([f"{it} in {of}" for it, of in _three()], 12)


def _three() -> list[tuple[str, str]]:
    return [(f"{kind}/{kind[0]}-{n}", of) for kind in GUARD["KINDS"] for of in ("a", "b") for n in range(3)]


def test_a_server_that_does_not_count_has_at_least_one_more() -> None:
    """The count is one that an API server may leave out."""
    assert left(Api(5000, counted=False))[1] == 2 * (GUARD["SHOWN"] + 1)


def test_each_request_has_an_end() -> None:
    """So that the guard says what is wrong before the Job is killed."""
    api = Api(0)
    assert left(api, "a") == ([], 0)
    assert all(0 < how["_request_timeout"] <= 15 for how in api.asked)


def test_without_the_kinds_nothing_is_left() -> None:
    """Any other refusal is one: nobody knows what would be left."""
    assert left(Api(1, status=404)) == ([], 0)
    with pytest.raises(ApiException):
        left(Api(1, status=403))
