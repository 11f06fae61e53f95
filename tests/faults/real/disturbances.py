"""What else befalls a running operator: the API server goes, watches lie, somebody else writes, objects vanish.

Each disturbance is a function that is called while a scenario is lived, right after its first step; the run is
judged like any other, and where the end cannot be the same, the function says what must be true instead.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gpuinstance.api.v1alpha1 import KIND
from tests.faults.boundaries import Run
from tests.faults.fate import Fate
from tests.faults.judge import End, judge
from tests.faults.real.cluster import Body
from tests.faults.real.lane import Lane, until
from tests.faults.real.life import SECONDS, Deed, Life
from tests.faults.scenarios import BY_NAME
from tests.faults.virtual.campaign import Result

_CRD = "gpuinstances.gpuinstance.dev"


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happens, in which scenario, and whether the end is the same as without."""

    scenario: str
    does: Deed
    same_end: bool = True
    beforehand: bool = False
    """Whether it begins before the first step, not after it."""
    alone: bool = False
    """Whether it touches what all lanes share."""


def disturb(lane: Lane, name: str, undisturbed: End) -> Result:
    """Live a scenario with this disturbance. Raises KeyError for an unknown one."""
    it = DISTURBANCES[name]
    scenario = BY_NAME[it.scenario]
    try:
        life = Life(lane, scenario, Fate())
        end = life.live(beforehand=it.does) if it.beforehand else life.live(meanwhile=it.does)
    finally:
        lane.api_gate.watches.heal()
        lane.api_gate.cut_watches()
    findings = judge(end, undisturbed, same_end=it.same_end)
    return Result(Run("real", "disturbances", it.scenario, name), findings, struck=True)


# The API server and its watches ---------------------------------------------------------------------------------


def api_server_restarts(life: Life) -> None:
    """It is stopped while the machine is bought, and comes back."""
    _await_intent(life)
    cluster = life.lane.cluster
    cluster.stop_apiserver()
    time.sleep(2)
    cluster.start_apiserver()


def watch_drops_silently(life: Life) -> None:
    """Connections stay open and nothing comes through, for longer than an audit's pause."""
    life.lane.api_gate.watches.is_hole = True


def watch_expires(life: Life) -> None:
    """The event of a change is an error, 410 Gone, and the watch has to be begun anew."""
    life.lane.api_gate.watches.expire = True


def watch_is_stale(life: Life) -> None:
    """Every event comes two seconds late: decisions are made on old pictures, and refused."""
    life.lane.api_gate.watches.delay = 2.0


def event_is_lost(life: Life) -> None:
    """The event of a change never comes."""
    life.lane.api_gate.watches.lose = 1


# Others who write -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _scribbling(life: Life, patch: Callable[[int], Mapping[str, Any]], seconds: float) -> Iterator[None]:
    """Somebody patches the object all the time."""
    over = threading.Event()

    def scribble() -> None:
        number = 0
        while not over.wait(0.02):
            number += 1
            with contextlib.suppress(Exception):  # the object may be gone by now
                life.objects.patch(KIND, life.name, patch(number))

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        time.sleep(seconds)
        yield
    finally:
        over.set()
        writer.join()


def second_writer_edits_metadata(life: Life) -> None:
    """A label changes fifty times a second while the machine is bought."""
    with _scribbling(life, lambda n: {"metadata": {"labels": {"number": str(n)}}}, 4):
        pass


def second_writer_edits_spec(life: Life) -> None:
    """So does a field of the spec: each status is about an old generation when it arrives."""
    with _scribbling(life, lambda n: {"spec": {"healthCheck": {"timeoutSeconds": 3 + n % 5}}}, 4):
        pass


def status_wiped(life: Life) -> None:
    """`kubectl replace --subresource=status` with nothing in it, right after the token was given."""
    life.objects.replace_status(KIND, life.name, {})
    _expect(life, lambda body: body["status"].get("attempts") == 1, "the status is written again")
    _expect(life, lambda body: body["status"].get("outcome") == "Ready", "and the instance becomes ready")
    life.objects.replace_status(KIND, life.name, {})


def status_wiped_while_down(life: Life) -> None:
    """Nobody remembers it: the machine is found by its name."""
    _expect(life, lambda body: body["status"].get("outcome") == "Ready", "the instance becomes ready")
    life.lane.kill()
    life.objects.replace_status(KIND, life.name, {})
    life.lane.revive()


# Objects that vanish --------------------------------------------------------------------------------------------


def restored_from_backup(life: Life) -> None:
    """The cluster is lost and restored: the same object without status, with another uid. Nothing is bought."""
    _expect(life, lambda body: body["status"].get("outcome") == "Ready", "the instance becomes ready")
    life.lane.kill()
    life.objects.patch(KIND, life.name, {"metadata": {"finalizers": []}})
    life.objects.delete(KIND, life.name)
    life.objects.create(KIND, life.name, BY_NAME["create"].spec)
    life.lane.revive()
    _expect(
        life, lambda body: _ready(body).get("reason") == "ForeignInstance", "the earlier object's machine is noticed"
    )
    life.is_over = True


def namespace_deleted(life: Life) -> None:
    """The namespace goes with Secret and instance at once: either the machine goes, too, or the object stays."""
    _expect(life, lambda body: body["status"].get("outcome") == "Ready", "the instance becomes ready")
    kubectl = life.lane.cluster.kubectl()
    kubectl("delete", "namespace", life.lane.namespace, "--wait=false")
    stuck = until(lambda: _is_gone(life) or _is_without_credentials(life), SECONDS)
    if not stuck:
        life.complaints.append("the namespace goes, and the object neither goes nor says why")
    if not _is_gone(life):  # the documented way out
        life.objects.edit(KIND, life.name, {"deletionPolicy": "Orphan"})
        _gone(life)
    elif life.machines_of_mine():
        life.complaints.append("I4: the object is gone, and its machine is not")
    until(lambda: kubectl.attempt("get", "namespace", life.lane.namespace).returncode != 0, SECONDS)
    life.lane.create_namespace()
    life.is_over = True


def crd_deleted(life: Life) -> None:
    """The CRD is deleted, and all instances with it; applied again, it is served as before."""
    _expect(life, lambda body: body["status"].get("outcome") == "Ready", "the instance becomes ready")
    kubectl = life.lane.cluster.kubectl()
    if kubectl.attempt("delete", "crd", _CRD, "--wait=false").returncode == 0:
        life.complaints.append("the CRD can be deleted without a word of confirmation")
    kubectl("annotate", "crd", _CRD, f"gpuinstance.dev/confirm-deletion={_CRD}")
    kubectl("delete", "crd", _CRD, "--wait=false")
    until(lambda: kubectl.attempt("get", "crd", _CRD).returncode != 0, SECONDS)
    if life.machines_of_mine():
        life.complaints.append("I4: the CRD is gone, and a machine is not")
    life.lane.install()
    life.again()


def _await_intent(life: Life) -> None:
    _expect(life, lambda body: bool(body["status"].get("operation")), "an intent is saved")


def _expect(life: Life, holds: Callable[[Body], bool], what: str) -> None:
    def true() -> bool:
        body = life.objects.get(KIND, life.name)
        return body is not None and holds(body)

    if not until(true, SECONDS):
        life.complaints.append(f"not within {SECONDS:.0f} s: {what}")


def _gone(life: Life) -> None:
    if not until(lambda: _is_gone(life), SECONDS):
        life.complaints.append(f"not within {SECONDS:.0f} s: the object goes")


def _is_gone(life: Life) -> bool:
    return life.objects.get(KIND, life.name) is None


def _is_without_credentials(life: Life) -> bool:
    body = life.objects.get(KIND, life.name)
    return body is not None and _ready(body).get("reason") == "CredentialsUnavailable"


def _ready(body: Body) -> Mapping[str, Any]:
    return next((c for c in (body.get("status") or {}).get("conditions", ()) if c["type"] == "Ready"), {})


DISTURBANCES: Mapping[str, Disturbance] = {
    "api-server-restarts": Disturbance("create", api_server_restarts, alone=True),
    "watch-drops-silently": Disturbance("stop", watch_drops_silently, beforehand=True),
    "watch-expires": Disturbance("restart", watch_expires, beforehand=True),
    "watch-is-stale": Disturbance("create", watch_is_stale, beforehand=True),
    "watch-is-stale-while-deleting": Disturbance("delete", watch_is_stale, beforehand=True),
    "event-is-lost": Disturbance("stop", event_is_lost, beforehand=True),
    "second-writer-edits-metadata": Disturbance("create", second_writer_edits_metadata),
    "second-writer-edits-metadata-meanwhile": Disturbance("recreate", second_writer_edits_metadata),
    "second-writer-edits-spec": Disturbance("create", second_writer_edits_spec, same_end=False),
    "status-wiped": Disturbance("restart", status_wiped),
    "status-wiped-while-down": Disturbance("create", status_wiped_while_down, same_end=False),
    "restored-from-backup": Disturbance("create", restored_from_backup, same_end=False),
    "namespace-deleted": Disturbance("create", namespace_deleted, same_end=False),
    "crd-deleted": Disturbance("create", crd_deleted, same_end=False, alone=True),
}
"""By name."""
