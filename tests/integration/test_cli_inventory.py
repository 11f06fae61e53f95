"""The looking commands against a real API server and a provider: what is listed, imported, and logged in to."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml

from gpuinstance.cli.command import run
from gpuinstance.cli.endings import Exit
from tests.controlplane.processes import free_port
from tests.integration.manifests import serving
from tests.integration.strangers import bought_by_hand, machine_of
from tests.integration.world import World, until
from tests.rig.simulator import API_KEY

pytestmark = pytest.mark.cluster


class Gpu:
    """`kubectl gpu` of a person who may read the Secrets of one namespace."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._env = {
            "GPUINSTANCE_NOVITA_BASE_URL": world.stack.simulator.novita_url,
            "GPUINSTANCE_HOSTWINDS_BASE_URL": world.stack.hostwinds.hostwinds_url,
        }
        self.err = ""

    def __call__(self, *argv: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        """Return what it prints; `err` is what it says aside. It never shows a key."""
        out, err = io.StringIO(), io.StringIO()
        options = ["--kubeconfig", str(self._world.stack.cluster.admin), "-n", self._world.namespace]
        ended = run([*options, *argv], out, err, self._env | (env or {}))
        self.err = err.getvalue()
        assert ended == code, self.err
        assert API_KEY not in out.getvalue() + self.err
        return out.getvalue()

    def listed(self, *flags: str, **options: Any) -> dict[str, tuple[str, str]]:
        """Return source and consistency by the machine's id, or else by the resource's name."""
        items = json.loads(self("list", *flags, "-o", "json", **options))["items"]
        return {
            it.get("machine", {}).get("id") or it["resource"]["name"]: (it["source"], it["consistency"]) for it in items
        }


@pytest.fixture
def gpu(world: World) -> Gpu:
    return Gpu(world)


def test_resources_beside_the_providers_inventory(world: World, gpu: Gpu) -> None:
    """Both sides of each machine, one that a person bought, and one that is gone; without the provider, one side."""
    world.apply(serving("mine"), serving("lost"))
    world.ready("mine", "lost")
    mine, lost = machine_of(world, "mine"), machine_of(world, "lost")
    with bought_by_hand(world) as stranger:
        shown = gpu.listed("--all")
        assert (shown[mine.id], shown[stranger.id]) == (("both", "consistent"), ("provider", "foreign"))
        assert set(gpu.listed("--provider-only")) >= {mine.id, lost.id, stranger.id}
        world.stack.operator.stop()
        mine.console("stop")
        lost.console("delete")
        until(lambda: gpu.listed("--all").get("lost") == ("resource", "missing at provider"), "it is missed")
        until(lambda: gpu.listed("--all").get(mine.id) == ("both", "differs"), "the operator's word is old")
        assert "exited" in gpu("list", "--all")
        down = {"GPUINSTANCE_NOVITA_BASE_URL": f"http://127.0.0.1:{free_port()}"}
        assert gpu.listed("--all", env=down) == dict.fromkeys(("mine", "lost"), ("resource", "not compared"))
        assert "novita was not read" in gpu.err
        gpu("list", "--provider-only", "--hostwinds-url", down["GPUINSTANCE_NOVITA_BASE_URL"], env=down, code=1)
        assert stranger.done() == []
    world.stack.start_operator()


def test_what_is_imported_is_accepted_and_observed(world: World, gpu: Gpu) -> None:
    """The manifest is applied as it comes; then the machine is that object's, and nobody's no more."""
    with bought_by_hand(world, ports=[{"number": 80}], gpu_count=2) as stranger:
        manifest = gpu("import", "--provider", "novita", "--id", stranger.id)
        name = yaml.safe_load(manifest)["metadata"]["name"]
        world.kubectl("apply", "-f", "-", stdin=manifest)
        world.ready(name)
        status = world.status(name)
        assert (status["instance"]["id"], status.get("differences"), stranger.done()) == (stranger.id, None, [])
        assert gpu.listed("--all")[stranger.id] == ("both", "consistent")
        assert f"belongs to GPUInstance {world.namespace}/{name}" in (
            gpu("import", "--provider", "novita", "--id", stranger.id, code=Exit.REFUSED) or gpu.err
        )
        gpu("import", "--provider", "novita", "--all")
        assert f"left out: {stranger.id}" in gpu.err
        world.delete(name)
        assert stranger.shown["state"] == "running"


def test_ssh_by_the_published_secret(world: World, gpu: Gpu) -> None:
    """Without a connection it is said how to get one; with it, the command is there and the password is not shown."""
    world.apply(serving())
    world.ready("trainer")
    gpu("ssh", "trainer", "--print", code=Exit.REFUSED)
    assert '-p \'{"spec":{"connection":{}}}\'' in gpu.err
    world.patch("trainer", connection={})
    secret = until(lambda: _secret(world, "trainer-connection"), "the connection is published")
    command = gpu("ssh", "trainer", "--print", "--", "nvidia-smi", "-L")
    assert command.startswith("ssh -p ")
    assert command.endswith(" -- nvidia-smi -L\n")
    assert secret["data"].get("sshPassword", "-") not in command + gpu.err
    tree = gpu("tree", "trainer")
    for text in ("Secret/trainer-connection", "Service/trainer", "Endpoint/80", "Secret/novita-credentials"):
        assert text in tree
    assert "does not exist" not in tree


def _secret(world: World, name: str) -> dict[str, Any]:
    """Return a Secret with the way in, empty while there is none."""
    found = world.kubectl.attempt("get", "secret", name, "-o", "json")
    secret: dict[str, Any] = json.loads(found.stdout) if found.returncode == 0 else {}
    return secret if "sshCommand" in secret.get("data", {}) else {}
