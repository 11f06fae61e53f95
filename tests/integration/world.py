"""One namespace of a running stack, as a test sees it: what a user says, and what is true of it.

`World` speaks kubectl like a user, reads the provider's own books like a judge, and never waits without a
condition and a deadline. It asserts nothing about the product beyond "it came true in time".
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.controlplane import audit
from tests.integration.manifests import Manifest, text
from tests.integration.versions import name_of, versions
from tests.rig.simulator import API_KEY, Simulator
from tests.rig.stack import Stack

SECONDS = 60.0
"""Longer than anything takes on a busy machine; only a failing test waits for so long."""

SECRET_VALUE, WRONG_KEY, ROOT_PASSWORD = "canary-of-env", "canary-of-a-wrong-key", "canary-root-password"
SECRETS = (API_KEY, SECRET_VALUE, WRONG_KEY, ROOT_PASSWORD)
"""What must never be seen anywhere but in the Secrets themselves, and at the provider."""

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, seconds: float = SECONDS, pause: float = 0.03) -> T:
    """Return what `condition` returns as soon as that is true; it is asked anew after each `pause`.

    Raises AssertionError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
    return result


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return one condition of a status; empty where it has none of that kind."""
    return next((it for it in status.get("conditions", []) if it["type"] == kind), {})


class World:
    """What one test does and sees. Names of instances are unique in it; others do not concern it.

    A name is that of a GPUInstance; `iup/NAME` is an InstanceUpgrade. `simulator` is the provider whose books are
    read: Novita, if none is given.
    """

    def __init__(self, stack: Stack, namespace: str, simulator: Simulator | None = None) -> None:
        self.stack = stack
        self.simulator = simulator or stack.simulator
        self.namespace = namespace
        self.kubectl = stack.kubectl.within(namespace)

    # What a user does.

    def apply(self, *manifests: Manifest) -> None:
        """Run kubectl apply."""
        self.kubectl("apply", "-f", "-", stdin=text(*manifests))

    def patch(self, name: str, **spec: Any) -> None:
        """Change fields of the spec; None takes a field away."""
        self.kubectl("patch", _reference(name), "--type=merge", "-p", json.dumps({"spec": spec}))

    def set_secret(self, name: str, **data: str) -> None:
        """Make a Secret hold this, and nothing else, whether or not it exists."""
        metadata = {"name": name, "namespace": self.namespace}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
        self.kubectl("delete", "secret", name, "--ignore-not-found")
        self.kubectl("create", "-f", "-", stdin=json.dumps(secret))

    def delete(self, name: str) -> None:
        """Run kubectl delete, which returns when the object is gone."""
        self.kubectl("delete", _reference(name), f"--timeout={SECONDS:g}s")

    # What becomes of it.

    def wait(self, name: str, *conditions: str) -> None:
        """Run kubectl wait, with a word about the object's state where that fails."""
        arguments = [f"--for={condition}" for condition in conditions]
        done = self.kubectl.attempt("wait", _reference(name), *arguments, f"--timeout={SECONDS:g}s")
        assert done.returncode == 0, f"{done.stderr}{self.describe(name)}"

    def ready(self, *names: str) -> None:
        """Wait until these are Ready."""
        for name in names:
            self.wait(name, "condition=Ready")

    def outcome(self, name: str, outcome: str) -> None:
        """Wait until the object has settled so."""
        self.wait(name, f"jsonpath={{.status.outcome}}={outcome}")

    def reason(self, name: str, reason: str, condition: str = "Ready") -> str:
        """Wait until a condition gives this reason; return its message."""
        self.wait(name, f'jsonpath={{.status.conditions[?(@.type=="{condition}")].reason}}={reason}')
        return str(self.condition(name, condition)["message"])

    def get(self, name: str) -> dict[str, Any]:
        """Return the object."""
        found: dict[str, Any] = self.kubectl.json("get", _reference(name))
        return found

    def status(self, name: str) -> dict[str, Any]:
        """Return its status."""
        status: dict[str, Any] = self.get(name)["status"]
        return status

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Return one of its conditions, as `condition` does."""
        return condition(self.status(name), kind)

    def history(self, name: str) -> list[dict[str, Any]]:
        """Return all versions of its status so far, without those before the operator's first write."""
        kind, _, bare = _reference(name).partition("/")
        return [
            version["status"]
            for version in versions(self.stack.directory / f"{name_of(kind)}.log")
            if version["metadata"]["namespace"] == self.namespace
            and version["metadata"]["name"] == bare
            and "conditions" in version["status"]
        ]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return its Events, oldest first."""
        bare = name.rpartition("/")[2]
        found = self.kubectl.json("get", "events", f"--field-selector=involvedObject.name={bare}")["items"]
        return sorted(found, key=lambda event: int(event["metadata"]["resourceVersion"]))

    def describe(self, name: str) -> str:
        """Return all that is known about an object, for the message of a failed test."""
        done = self.kubectl.attempt("get", _reference(name), "-o", "yaml")
        log = self.stack.operator.child.log.read_text().splitlines()
        about = [line for line in log if f"{self.namespace}/{name.rpartition('/')[2]}" in line]
        here = f"gpui-{self.namespace}-"
        entries = [it for it in self.simulator.ask("ledger") if it["machine_name"].startswith(here)]
        books = "\n".join(f"{it['machine_name']} {it['actor']} {it['operation']} {it['detail']}" for it in entries)
        return "\n".join([done.stdout, done.stderr, f"ledger:\n{books}", *about[-20:]])

    # What is true at the provider.

    def ledger(self, name: str) -> list[dict[str, Any]]:
        """Return what was accepted for machines of this instance, whoever did it."""
        return [entry for entry in self.simulator.ask("ledger") if self._bought_for(name, entry["machine_name"])]

    def done(self, name: str, actor: str = "api") -> Counter[str]:
        """Return how often each operation was accepted for this instance."""
        return Counter(entry["operation"] for entry in self.ledger(name) if entry["actor"] == actor)

    def machines(self, name: str) -> list[dict[str, Any]]:
        """Return the machines of this instance that exist, without lag."""
        return [it for it in self.simulator.ask("machines") if self._bought_for(name, it["name"])]

    def machine(self, name: str) -> dict[str, Any]:
        """Return the one machine of this instance."""
        found = self.machines(name)
        assert len(found) == 1, found
        return found[0]

    def console(self, name: str, action: str, **details: Any) -> None:
        """Do something to the machine in the provider's console, behind the operator's back."""
        self.simulator.tell(f"machines/{self.machine(name)['id']}/console", {"action": action, **details})

    def fault(self, effect: dict[str, Any], name: str | None = None, **selection: Any) -> None:
        """Plant a fault: see the simulator's `faults`. With `name`: for machines of that instance only."""
        glob = {} if name is None else {"name": f"{self._prefix(name)}*"}
        self.simulator.tell("faults", {"effect": effect, **glob, **selection})

    def pay(self, upgrade: str) -> None:
        """Pay the invoice of an upgrade, given as `iup/NAME`, in the provider's portal."""
        self.simulator.pay(self.status(upgrade)["order"]["invoiceID"])

    def quirk(self, **quirks: Any) -> None:
        """From now on the provider behaves in one of the ways that its documentation leaves open."""
        self.simulator.tell("quirks", quirks)

    def calls(self, operation: str) -> int:
        """Return how often anybody has called the provider so, since the stack's start or the last reset."""
        return int(self.simulator.ask("calls")["operations"].get(operation, 0))

    def _prefix(self, name: str) -> str:
        return f"gpui-{self.namespace}-{name}-"

    def _bought_for(self, name: str, machine_name: str) -> bool:
        return machine_name.startswith(self._prefix(name))

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of the machine, as its owner reads it at the provider."""
        answer = httpx.get(
            f"{self.simulator.novita_url}/gpu/instance",
            params={"instanceId": self.machine(name)["id"]},
            headers={"Authorization": f"Bearer {API_KEY}"},
            trust_env=False,
        )
        return {variable["key"]: variable["value"] for variable in answer.raise_for_status().json()["envs"]}

    # What the API server has written down.

    def now(self) -> int:
        """Return this moment, for `writes`."""
        return audit.position(self._audit_log)

    def writes(self, since: int = 0) -> list[audit.Request]:
        """Return the operator's writes in this namespace, Events included, in the order of their answers."""
        found = audit.writes(self._audit_log, user=self.stack.operator_user, since=since)
        return [write for write in found if write.namespace == self.namespace]

    def writes_about(self, name: str, since: int = 0) -> list[audit.Request]:
        """Return those about one object; an Event is named after its object."""
        return [write for write in self.writes(since) if write.name.partition(".")[0] == name]

    @property
    def _audit_log(self) -> Path:
        log = self.stack.cluster.audit_log
        if log is None:
            pytest.skip("an existing cluster shows no audit log")
        return log


def _reference(name: str) -> str:
    return name if "/" in name else f"gpui/{name}"
