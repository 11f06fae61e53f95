"""Every command that README.md and docs/ tell a person to type is typed here, in their order.

Commands are taken from the console blocks. What cannot run as it stands is in one of three small tables: targets
of make are looked up instead of run (they run these tests, or stacks of their own), a command that is about a
situation gets that situation first, and what a person does elsewhere is done here. Invoices have other numbers.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controlplane.kubectl import kubectl_path
from tests.integration.saga import Saga
from tests.integration.world import World
from tests.rig.simulator import API_KEY
from tests.rig.stack import ROOT

pytestmark = pytest.mark.cluster

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MAKE = re.compile(r"make( [a-z-]+)*")


def commands(document: Path) -> list[str]:
    """Return what follows the prompts of a document's console blocks, without remarks."""
    lines = [line for block in _BLOCK.findall(document.read_text()) for line in block.splitlines()]
    return [re.sub(r"\s{2,}# .*$", "", line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


def need_credentials(world: World) -> None:
    world.kubectl("delete", "secret", "novita-credentials")


def need_trainer(world: World) -> None:
    world.kubectl("apply", "-f", str(ROOT / "deploy/examples/novita/gpuinstance.yaml"))


def need_stalled_trainer(world: World) -> None:
    world.patch("trainer", gpuCount=2)


def need_web(world: World) -> None:
    world.kubectl("apply", "-f", str(ROOT / "deploy/examples/hostwinds/instance.yaml"))
    world.ready("web")


def pay(world: World) -> None:
    World(world.stack, world.namespace, world.stack.hostwinds).pay("iup/bigger")


def pay_and_say_so(world: World) -> None:
    Saga(World(world.stack, world.namespace, world.stack.hostwinds), "web", "bigger").pay()


SITUATIONS: dict[str, Callable[[World], None]] = {
    "kubectl apply -f deploy/examples/hostwinds/upgrade.yaml": need_web,
    'kubectl patch iup/bigger --type merge -p \'{"spec":{"payment"': pay,
    "kubectl gpu confirm-payment bigger": pay,
    "kubectl create secret generic novita-credentials": need_credentials,
    "kubectl wait gpui/trainer --for=condition=Ready --timeout=20m": need_trainer,
    "kubectl wait gpui/trainer --for=condition=Stalled": need_stalled_trainer,
}
"""What has to be so before a command that begins like this makes sense."""

ELSEWHERE: dict[str, Callable[[World], None]] = {
    "export KUBECONFIG=$PWD/.run/kubeconfig": lambda _: None,
    "make pay INVOICE=416": pay_and_say_so,
}
"""Commands about the stack of `make up`, for which the stack of this test stands in."""
INVOICE = "416"
"""The first invoice of a provider that has only this one customer."""


class Terminal:
    """A shell in the project's folder after `make up`, with the test's namespace as the current one."""

    def __init__(self, world: World, directory: Path) -> None:
        kubeconfig = directory / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_bytes(world.stack.cluster.admin.read_bytes())
        path = f"{Path(kubectl_path()).parent}{os.pathsep}{os.environ['PATH']}"
        providers = {
            "GPUINSTANCE_NOVITA_BASE_URL": world.stack.simulator.novita_url,
            "GPUINSTANCE_HOSTWINDS_BASE_URL": world.stack.hostwinds.hostwinds_url,
        }
        own = {"KUBECONFIG": str(kubeconfig), "PATH": path, "NOVITA_API_KEY": API_KEY}
        self._environment = {**os.environ, **own, **providers}
        self.type(f"kubectl config set-context --current --namespace={world.namespace}")

    def type(self, command: str) -> None:
        """Run a command, which has to succeed."""
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


WITH_COMMANDS = [
    pytest.param(document, id=str(document.relative_to(ROOT))) for document in DOCUMENTS if commands(document)
]


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_what_a_document_says_can_be_done(world: World, document: Path, tmp_path: Path) -> None:
    """Each command of the document succeeds, typed one after the other."""
    terminal = Terminal(world, tmp_path)
    for command in commands(document):
        if command in ELSEWHERE:
            ELSEWHERE[command](world)
            continue
        for beginning, prepare in SITUATIONS.items():
            if command.startswith(beginning):
                prepare(world)
        terminal.type(as_typed_here(world, command))


def as_typed_here(world: World, command: str) -> str:
    """Return a command for this stack: targets of make are only looked up, and invoices have their own numbers."""
    if INVOICE in command:
        return command.replace(INVOICE, world.status("iup/bigger")["order"]["invoiceID"])
    return re.sub("^make ", "make -n ", command) if _MAKE.fullmatch(command) else command


def test_the_story_of_the_readme_is_complete() -> None:
    """The README shows the two commands first, then a whole life and a paid upgrade by hand."""
    said = commands(ROOT / "README.md")
    assert said[:2] == ["make demo", "make test"]
    verbs = [command.split()[1] for command in said if command.startswith("kubectl")]
    life, upgrade = verbs[:6], verbs[6:]
    assert life == ["apply", "wait", "get", "patch", "wait", "delete"]
    assert upgrade == ["apply", "wait", "apply", "wait", "get", "wait", "get", "delete"]
    assert "make pay INVOICE=416" in said


INLINE = sorted(
    {it for document in DOCUMENTS for it in re.findall(r"`(kubectl [^`]*trainer[^`]*)`", document.read_text())}
)
"""Complete kubectl commands in running text: the ways out of trouble."""


@pytest.mark.parametrize("command", INLINE)
def test_a_command_in_running_text_can_be_done(world: World, command: str, tmp_path: Path) -> None:
    """Commands that are shown with a name in them work as they stand."""
    need_trainer(world)
    world.ready("trainer")
    Terminal(world, tmp_path).type(command)
