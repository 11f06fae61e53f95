"""The main job, told step by step: `make demo`.

Starts the whole stack, then does what a new user would do, with the very commands that it prints: a machine at
Novita is created, becomes Ready, is stopped and started, and a mistake is refused; a server at Hostwinds is upgraded
to a bigger plan, with a payment in between. At the end everything is deleted, and the books of the simulated
providers are held against the story. Exits 0 only if all of it came true.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.controlplane.gobuild import BuildError
from tests.controlplane.kubectl import KubectlError, spell
from tests.controlplane.processes import ChildError
from tests.controlplane.progress import printer
from tests.rig.stack import ROOT, Options, Stack, open_stack

MACHINE, SERVER = "deploy/examples/novita/gpuinstance.yaml", "deploy/examples/hostwinds/instance.yaml"
UPGRADE = "deploy/examples/hostwinds/upgrade.yaml"

_OPTIONS = Options(
    speed=8,
    listing_lag=4,
    poll_seconds=2,
    fast_poll_seconds=0.5,
    settle_seconds=2,
    hostwinds=True,
    # Resizing a server takes long, and nothing happens meanwhile; and here the provider says what is paid.
    hostwinds_simulator={"speed": 20, "order-status": True},
)
_EXPECTED = {
    "novita": Counter(create=1, stop=1, start=1, delete=1),
    "hostwinds": Counter(create=1, order=1, pay=1, apply=1, confirm=1, delete=1),
}


class DemoError(Exception):
    """The story did not go as it is told; the message says where."""


class Story:
    """Runs commands and shows them, and what they print, to the person who watches."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._began = time.monotonic()

    def say(self, sentence: str) -> None:
        """Head a step with a sentence and the time since the story began."""
        self._print(f"\n[{time.monotonic() - self._began:5.1f} s] {sentence}")

    def kubectl(self, *arguments: str) -> str:
        """Run a command that must succeed; return its output."""
        code, output = self._run(arguments)
        if code != 0:
            raise DemoError(f"`{spell(arguments)}` ended with exit code {code}")
        return output

    def refused(self, *arguments: str) -> None:
        """Run a command that the API server must refuse."""
        code, _ = self._run(arguments)
        if code == 0:
            raise DemoError(f"`{spell(arguments)}` was accepted, and should have been refused")

    def apply(self, manifest: str) -> None:
        """Apply a file of the project."""
        self.kubectl("apply", "-f", str(ROOT / manifest) if Path.cwd() != ROOT else manifest)

    def pay(self, upgrade: str) -> None:
        """Pay the invoice of an upgrade, as a person does in the provider's portal."""
        invoice = self._stack.kubectl("get", upgrade, "-o", "jsonpath={.status.order.invoiceID}")
        self._print(f"$ curl --request POST {self._stack.hostwinds.url}/_simulator/invoices/{invoice}/pay")
        self._print(json.dumps(self._stack.hostwinds.pay(invoice)))

    def _run(self, arguments: tuple[str, ...]) -> tuple[int, str]:
        self._print(f"$ {spell(arguments)}")
        began = time.monotonic()
        done = self._stack.kubectl.attempt(*arguments, seconds=400)
        output = "\n".join(filter(None, [done.stdout.strip(), done.stderr.strip()]))
        self._print(f"{output}\n  ({time.monotonic() - began:.1f} s)")
        return done.returncode, output

    def _print(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def tell(stack: Stack) -> None:
    """Live the whole life of a machine, and upgrade a server. Raises DemoError where something does not come true."""
    story = Story(stack)
    live(story)
    upgrade(story)
    story.say("Deleting returns when the providers show the machines gone, so nothing goes on being billed:")
    story.kubectl("delete", "gpui/trainer", "gpui/web", "iup/bigger", "--timeout=5m")
    story.say("The simulated providers' own books say what was really done there:")
    _check_books(stack)
    story.say("Done: two machines bought and deleted, one upgrade paid for once, nothing left.")


def live(story: Story) -> None:
    """A GPU machine at Novita, from the manifest through a night."""
    story.say("A team asks for a GPU machine by applying a manifest:")
    story.apply(MACHINE)
    story.say("kubectl itself waits until the machine runs and its application answers:")
    story.kubectl("wait", "gpui/trainer", "--for=condition=Ready", "--timeout=5m")
    story.kubectl("get", "gpui", "-o", "wide")
    story.say("Overnight it is not needed. A stopped machine costs no GPU hours:")
    story.kubectl("patch", "gpui/trainer", "--type", "merge", "-p", '{"spec":{"powerState":"Stopped"}}')
    story.kubectl("wait", "gpui/trainer", "--for=jsonpath={.status.outcome}=Stopped", "--timeout=5m")
    story.say("In the morning it is wanted again: the same machine starts, no second one is bought:")
    story.kubectl("patch", "gpui/trainer", "--type", "merge", "-p", '{"spec":{"powerState":"Running"}}')
    story.kubectl("wait", "gpui/trainer", "--for=jsonpath={.status.outcome}=Ready", "--timeout=5m")
    story.say("What cannot be right is refused at once, in words:")
    story.refused("patch", "gpui/trainer", "--type", "merge", "-p", '{"spec":{"gpuCount":12}}')
    story.refused("patch", "gpui/trainer", "--type", "merge", "-p", '{"spec":{"templateID":"106848"}}')
    story.say("What happened to it can be read from the object:")
    story.kubectl("events", "--for", "gpuinstance/trainer")


def upgrade(story: Story) -> None:
    """A server at Hostwinds, and a paid change of it that runs exactly once."""
    story.say("Its web server is rented elsewhere, at Hostwinds:")
    story.apply(SERVER)
    story.kubectl("wait", "gpui/web", "--for=condition=Ready", "--timeout=5m")
    story.say("It has become too small. A bigger plan there costs money, so the change is an object of its own:")
    story.apply(UPGRADE)
    story.kubectl("wait", "iup/bigger", "--for=condition=ActionRequired", "--timeout=5m")
    story.kubectl("get", "iup")
    story.say("It is ordered, and nothing is applied before the invoice is paid. A person does that, in the portal:")
    story.pay("iup/bigger")
    story.say("From here it goes by itself: resized, found healthy, confirmed. The wait returns also if it fails:")
    story.kubectl("wait", "iup/bigger", "--for=jsonpath={.status.outcome}", "--timeout=5m")
    story.kubectl("get", "iup", "bigger")
    story.kubectl("events", "--for", "instanceupgrade/bigger")
    story.kubectl("wait", "gpui/web", "--for=condition=Ready", "--timeout=5m")


def _check_books(stack: Stack) -> None:
    left = []
    for provider, simulator in stack.simulators.items():
        entries = simulator.ask("ledger")
        for entry in entries:
            sys.stdout.write(f"  {provider:<10} {entry['number']}. {entry['operation']:<8}{entry['machine_name']}\n")
        # Novita goes on showing a removed machine for a moment, with the word `removed`.
        left += [machine for machine in simulator.ask("machines") if machine["state"] != "removed"]
        if (done := Counter(entry["operation"] for entry in entries)) != _EXPECTED[provider]:
            raise DemoError(f"the books of {provider} hold {dict(done)}")
    sys.stdout.write(f"  machines left: {len(left)}\n")
    if left:
        raise DemoError(f"{len(left)} machines are left")


def main() -> int:
    """Run the demo; return its exit code. Everything that was started is stopped, also after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="gpu-instance-demo-") as scratch:
        directory = Path(scratch)
        try:
            with open_stack(directory, printer(), _OPTIONS) as stack:
                return _told(stack)
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted; everything is stopped\n")
            return 130
        except (BuildError, ChildError, KubectlError, TimeoutError) as error:
            sys.stderr.write(f"\nerror: {error}\n")
            return 1


def _told(stack: Stack) -> int:
    try:
        tell(stack)
    except (DemoError, KubectlError) as error:
        lines = stack.operator.child.tail(40)
        sys.stderr.write(f"\nerror: {error}\nthe end of the operator's log:\n{lines}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
