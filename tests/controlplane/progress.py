"""Saying what goes on while something takes minutes.

The build of the control plane and the demo use it: `printer` writes lines with the time passed, and `run`
runs a long command and reports every few seconds what its latest line of output means. Nothing here knows
what the command does.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

Report = Callable[[str], None]
"""Receives one line about what is going on."""

Describe = Callable[[str | None], str]
"""Takes the latest line that a command wrote (None before the first) and says what goes on."""

_REPORT_SECONDS = 5.0
_TAIL_LINES = 30


class CommandError(RuntimeError):
    """A command failed; the message holds its name and the end of what it wrote."""


def printer() -> Report:
    """Return a report that prints each line with the time since now, such as `[ 1m04s] ...`."""
    began = time.monotonic()

    def report(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        sys.stdout.write(f"[{minutes:2d}m{seconds:02d}s] {line}\n")
        sys.stdout.flush()

    return report


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], describe: Describe, report: Report) -> str:
    """Run a command with `env` added to the environment; return what it wrote to standard output.

    Every five seconds `report` gets what `describe` made of the latest line on standard error.
    Raises CommandError where the command fails.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    output: list[str] = []
    said: queue.Queue[str | None] = queue.Queue()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        readers = (
            threading.Thread(target=_drain, args=(process.stdout, output.append), daemon=True),
            threading.Thread(target=_drain, args=(process.stderr, said.put), daemon=True),
        )
        for reader in readers:
            reader.start()
        threading.Thread(target=_end, args=(process, readers, said), daemon=True).start()
        text, due = describe(None), time.monotonic() + _REPORT_SECONDS
        while True:
            try:
                line = said.get(timeout=max(due - time.monotonic(), 0))
            except queue.Empty:
                pass
            else:
                if line is None:
                    break
                tail.append(line)
                text = describe(line)
            if time.monotonic() >= due:
                report(text)
                due = time.monotonic() + _REPORT_SECONDS
    if process.returncode != 0:
        raise CommandError("\n".join([f"{' '.join(command[:2])} failed", *tail]))
    return "\n".join(output)


def _drain(stream: Iterator[str] | None, sink: Callable[[str], None]) -> None:
    for line in stream or ():
        sink(line.rstrip("\n"))


def _end(process: subprocess.Popen[str], readers: Sequence[threading.Thread], said: queue.Queue[str | None]) -> None:
    process.wait()
    for reader in readers:
        reader.join()
    said.put(None)
