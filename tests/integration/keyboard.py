"""`kubectl gpu` typed by a test: in this process, at a terminal or in a script, at once or beside the test.

What it prints can be read while it runs, so that a test acts when a certain line has appeared.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gpuinstance.cli.command import run

_SECONDS = 60.0

T = TypeVar("T")


class Paper(io.StringIO):
    """A terminal whose output stays readable."""

    def isatty(self) -> bool:
        """Say that somebody sits there."""
        return True


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Keyboard:
    """Types commands with a kubeconfig, in a namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._options = ["--kubeconfig", str(kubeconfig), "-n", namespace]

    def __call__(self, line: str, *, answer: str | None = None) -> Ended:
        """Run a command to its end; `answer` is what somebody types at a terminal, None if nobody is there."""
        return self._run(line, answer, io.StringIO())

    @contextmanager
    def beside(self, line: str) -> Iterator[Running]:
        """Run a command at a terminal while the test goes on; at the end it has ended."""
        err = Paper()
        with ThreadPoolExecutor(max_workers=1) as executor:
            running = Running(executor.submit(self._run, line, None, err), err)
            yield running
            running.ended()

    def _run(self, line: str, answer: str | None, err: io.StringIO) -> Ended:
        out = io.StringIO()
        stdin = None if answer is None else Paper(answer)
        code = run([*line.split(), *self._options], out, err, {"NO_COLOR": "1"}, stdin=stdin)
        return Ended(code, out.getvalue(), err.getvalue())


class Running:
    """A command that has not ended yet."""

    def __init__(self, future: Future[Ended], err: Paper) -> None:
        self._future = future
        self._err = err

    def said(self, words: str) -> Callable[[], bool]:
        """Return whether it has said that by now, as something that can be asked again and again."""
        return lambda: words in self._err.getvalue() or self._future.done()

    def ended(self) -> Ended:
        """Wait for its end."""
        return self._future.result(timeout=_SECONDS)

    @property
    def goes_on(self) -> bool:
        """True if it has not ended."""
        return not self._future.done()
