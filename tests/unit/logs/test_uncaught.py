"""What nobody has caught is logged as everything else: Python itself would write secrets to standard error."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

SECRET = "sk-0123456789-canary-of-a-crash"
BEGINNING = f"""
import asyncio, os, sys, threading, warnings
from gpuinstance import logs
logs.configure("json")
logs.keep_secret({SECRET!r})

def fail():
    raise RuntimeError("it was " + {SECRET!r}) from ValueError("because of " + {SECRET!r})

class Undead:
    def __del__(self):
        fail()

async def task():
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
"""
ENDS = {
    "the process": ("fail()", 1, "the process ends by an unexpected error"),
    "a thread": ("thread = threading.Thread(target=fail); thread.start(); thread.join()", 0, "a thread ended"),
    "a finalizer": ("Undead()", 0, "an error could not be raised"),
    "a callback of the loop": ("asyncio.run(task())", 0, "Exception in callback fail()"),
    "a warning": (f"warnings.warn('it was ' + {SECRET!r})", 0, "UserWarning: it was [redacted]"),
}


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program that has configured its logs, and then does this."""
    command = [sys.executable, "-c", BEGINNING + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(("code", "exit_code", "words"), ENDS.values(), ids=ENDS)
def test_an_error_that_nobody_catches_is_one_line_without_secrets(code: str, exit_code: int, words: str) -> None:
    """With its traceback, its cause, and the exit code that it would have had."""
    done = run(code)
    assert done.returncode == exit_code
    (line,) = lines(done.stderr)
    assert words in line["event"]
    assert SECRET[:12] not in done.stdout + done.stderr
    if words.startswith(("the process", "a thread", "an error")):
        assert "ValueError: because of [redacted]" in line["exception"]
        assert "RuntimeError: it was [redacted]" in line["exception"]


def test_who_ends_the_process_on_purpose_is_not_reported() -> None:
    """sys.exit says its own words; an interrupt ends with the signal's code, as for any program."""
    done = run("sys.exit('the settings are not valid')")
    assert (done.returncode, done.stderr) == (1, "the settings are not valid\n")
    done = run("os.kill(os.getpid(), 2)")
    assert done.returncode == -signal.SIGINT
    assert "unexpected" not in done.stderr


FAREWELL = """
import asyncio
async def {name}():
    try:
        yield 1
    finally:
        raise RuntimeError("generator did not stop")
async def leave():
    global kept
    kept = {name}()
    await kept.__anext__()
asyncio.run(leave())
"""


def test_what_kopf_leaves_behind_at_the_end_is_no_error() -> None:
    """Its watches cannot be closed by the loop; any other generator that cannot is told."""
    assert run(FAREWELL.format(name="infinite_watch")).stderr == ""
    (line,) = lines(run(FAREWELL.format(name="another")).stderr)
    assert "closing of asynchronous generator" in line["event"]
