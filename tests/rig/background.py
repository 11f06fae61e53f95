"""The stack left running for work by hand: `make up`, `make pay`, `make down`.

`up` starts a keeper, a process of its own that opens the stack and waits; the keeper's death takes every
program with it. `down` ends the keeper by the process id that it left in .run/, after making sure that the
id still belongs to it. `pay` is the person who pays an invoice in Hostwinds' portal, which no call of its API can do.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.controlplane.build import ensure
from tests.controlplane.gobuild import BuildError
from tests.controlplane.progress import printer
from tests.rig.stack import ROOT, Options, open_stack

RUN = ROOT / ".run"
STATE = RUN / "stack.json"
LOG = RUN / "keeper.log"
KUBECONFIG = RUN / "kubeconfig"

_UP_SECONDS = 120.0
_DOWN_SECONDS = 60.0


def up() -> int:
    """Start the stack in the background, or find it running; print how to use it."""
    state = _running()
    if state is None:
        if os.environ.get("USE_EXISTING_CLUSTER", "").lower() != "true":
            try:
                ensure(printer())  # here, because the keeper's output is not seen
            except BuildError as error:
                sys.stderr.write(f"error: {error}\n")
                return 1
        shutil.rmtree(RUN, ignore_errors=True)
        RUN.mkdir()
        with LOG.open("wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.rig.background", "keep"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _await(lambda: _running() is not None or keeper.poll() is not None, _UP_SECONDS)
        state = _running()
        if state is None:
            sys.stderr.write(f"error: the stack did not start:\n{LOG.read_text()}")
            return 1
    sys.stdout.write(
        f"The stack runs until `make down`; its logs are in {RUN}.\n\n"
        f"  simulated Novita     {state['simulator']}\n"
        f"  simulated Hostwinds  {state['hostwinds']}\n"
        f"  operator             {state['operator']}/metrics\n\n"
        "To pay an invoice of the simulated Hostwinds, by its number in `kubectl get iup`:\n\n"
        "  make pay INVOICE=416\n\n"
        "For kubectl, and for those commands of kubectl gpu that ask the providers, in this terminal:\n\n"
        f"export KUBECONFIG={KUBECONFIG}\n"
        f"export PATH={Path(sys.executable).parent}:$PATH\n"
        f"export GPUINSTANCE_NOVITA_BASE_URL={state['novitaAPI']}\n"
        f"export GPUINSTANCE_HOSTWINDS_BASE_URL={state['hostwindsAPI']}\n"
    )
    return 0


def down() -> int:
    """Stop the stack; without one there is nothing to do."""
    state = _running()
    if state is None:
        sys.stdout.write("nothing runs\n")
        return 0
    pid = int(state["pid"])
    os.kill(pid, signal.SIGTERM)
    if not _await(lambda: _started(pid) != state["started"], _DOWN_SECONDS):
        os.kill(pid, signal.SIGKILL)  # the kernel takes its children with it
    STATE.unlink(missing_ok=True)
    sys.stdout.write("stopped\n")
    return 0


def pay(invoice: str) -> int:
    """Pay an invoice of the simulated Hostwinds."""
    state = _running()
    if state is None:
        sys.stderr.write("error: nothing runs; start it with `make up`\n")
        return 1
    url = f"{state['hostwinds']}/_simulator/invoices/{invoice}/pay"
    answer = httpx.post(url, timeout=10, trust_env=False)
    if not answer.is_success:
        sys.stderr.write(f"error: invoice {invoice}: {answer.text}\n")
        return 1
    paid = answer.json()
    sys.stdout.write(f"paid invoice {paid['id']}: {paid['total']} USD\n")
    return 0


def keep() -> int:
    """Hold the stack open until SIGTERM; this is the process in the background."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Here the simulated Hostwinds says what is paid, so that `make pay` is all that a person has to do.
        options = Options(hostwinds=True, hostwinds_simulator={"order-status": True})
        with open_stack(RUN, printer(), options) as stack:
            shutil.copy(stack.cluster.admin, KUBECONFIG)
            state = {
                "pid": os.getpid(),
                "started": _started(os.getpid()),
                "simulator": stack.simulator.url,
                "hostwinds": stack.hostwinds.url,
                "operator": stack.operator.url,
                "novitaAPI": stack.simulator.novita_url,
                "hostwindsAPI": stack.hostwinds.hostwinds_url,
            }
            draft = STATE.with_suffix(".draft")
            draft.write_text(json.dumps(state, indent=2) + "\n")
            draft.rename(STATE)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    finally:
        STATE.unlink(missing_ok=True)
    return 0


def _running() -> dict[str, Any] | None:
    """What the keeper left about itself, if it is still that very process."""
    if not STATE.exists():
        return None
    state: dict[str, Any] = json.loads(STATE.read_text())
    return state if _started(int(state["pid"])) == state["started"] else None


def _started(pid: int) -> str | None:
    """When a process was started, in ticks since boot; None if there is none or it is dead already."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def _await(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


if __name__ == "__main__":
    _commands: dict[str, Callable[..., int]] = {"up": up, "down": down, "keep": keep, "pay": pay}
    sys.exit(_commands[sys.argv[1]](*sys.argv[2:]))
