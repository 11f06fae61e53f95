"""The main job, told step by step: `make demo`.

Starts the whole stack, then does what a new user would do, with the very kubectl commands that it prints:
one instance is created, becomes Ready, is stopped, started and deleted, and a mistake is refused. At the end
the simulated provider's ledger is held against the story. Exits 0 only if all of it came true.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.controlplane.build import BuildError
from tests.controlplane.kubectl import KubectlError, spell
from tests.controlplane.processes import ChildError
from tests.controlplane.progress import printer
from tests.rig.stack import ROOT, Options, Stack, open_stack

MANIFEST = "deploy/examples/novita/gpuinstance.yaml"
INSTANCE = "gpui/trainer"

_OPTIONS = Options(speed=8, listing_lag=4, poll_seconds=2, fast_poll_seconds=0.5, settle_seconds=2)
_EXPECTED = Counter(create=1, stop=1, start=1, delete=1)


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
    """Live the whole life of one instance. Raises DemoError where something does not come true."""
    story = Story(stack)
    story.say("A team asks for a GPU machine by applying a manifest:")
    story.kubectl("apply", "-f", str(ROOT / MANIFEST) if Path.cwd() != ROOT else MANIFEST)
    story.say("kubectl itself waits until the machine runs and its application answers:")
    story.kubectl("wait", INSTANCE, "--for=condition=Ready", "--timeout=5m")
    story.kubectl("get", "gpui", "-o", "wide")
    story.say("Overnight it is not needed. A stopped machine costs no GPU hours:")
    stopped = '{"spec":{"powerState":"Stopped"}}'
    story.kubectl("patch", INSTANCE, "--type", "merge", "-p", stopped)
    story.kubectl("wait", INSTANCE, "--for=jsonpath={.status.outcome}=Stopped", "--timeout=5m")
    story.say("In the morning it is wanted again: the same machine starts, no second one is bought:")
    story.kubectl("patch", INSTANCE, "--type", "merge", "-p", '{"spec":{"powerState":"Running"}}')
    story.kubectl("wait", INSTANCE, "--for=jsonpath={.status.outcome}=Ready", "--timeout=5m")
    story.say("What cannot be right is refused at once, in words:")
    story.refused("patch", INSTANCE, "--type", "merge", "-p", '{"spec":{"gpuCount":12}}')
    story.refused("patch", INSTANCE, "--type", "merge", "-p", '{"spec":{"templateID":"106848"}}')
    story.say("What happened to it can be read from the object:")
    story.kubectl("events", "--for", INSTANCE.replace("gpui", "gpuinstance"))
    story.say("Deleting returns when the provider shows the machine gone, so nothing goes on being billed:")
    story.kubectl("delete", INSTANCE, "--timeout=5m")
    story.say("The simulated provider's own books say what was really done there:")
    _check_books(stack)
    story.say("Done: one machine bought, one deleted, nothing left.")


def _check_books(stack: Stack) -> None:
    entries = stack.simulator.ask("ledger")
    for entry in entries:
        sys.stdout.write(f"  {entry['number']}. {entry['operation']:<8}{entry['machine_name']}\n")
    # Novita goes on showing a removed machine for a moment, with the word `removed`.
    left = [machine for machine in stack.simulator.ask("machines") if machine["state"] != "removed"]
    sys.stdout.write(f"  machines left: {len(left)}\n")
    done = Counter(entry["operation"] for entry in entries)
    if done != _EXPECTED or left:
        raise DemoError(f"the provider's books hold {dict(done)} and {len(left)} machines left")


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
