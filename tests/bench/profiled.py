"""The operator under a sampling profiler: `python -m tests.bench.profiled DIRECTORY`.

Started by the bench in the operator's place; runs the very same program. Each time that the process has used some
milliseconds of CPU, the kernel sends a signal, and the stack of that moment is charged with the CPU time since the
one before. Nothing is traced, so that the program goes on as fast as without. Waiting costs nothing and is not seen;
what extension modules and other threads use is charged to the Python function that was on top.

On SIGUSR2 what has been gathered is written to DIRECTORY/NAME.folded, NAME being what the file DIRECTORY/phase says,
and forgotten. Such a file has one line for each stack: its functions from the outermost on, separated by semicolons,
a space, and microseconds. flamegraph.pl and speedscope read it, too.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

INTERVAL_SECONDS = 0.002
"""Of CPU time. Kernels whose clock ticks more slowly send the signal with each tick."""
PHASE = "phase"
"""The file in which the bench names the phase that ends."""


class Sampler:
    """Gathers stacks of the main thread, by CPU time."""

    def __init__(self) -> None:
        self._spent: Counter[tuple[CodeType, ...]] = Counter()
        """Microseconds, by the stack as the interpreter walks it: the innermost function first."""
        self._charged_until = time.process_time()
        self._busy = False

    def take(self, frame: FrameType | None) -> None:
        """Charge the CPU time since the last call to the stack that ends in `frame`."""
        if self._busy:  # a signal that came while another one was handled
            return
        self._busy = True
        now = time.process_time()
        stack = []
        while frame is not None:
            stack.append(frame.f_code)
            frame = frame.f_back
        self._spent[tuple(stack)] += round((now - self._charged_until) * 1e6)
        self._charged_until = now
        self._busy = False

    def write(self, path: Path) -> None:
        """Write what was gathered since the last call, in one piece: whoever sees the file sees all of it."""
        spent, self._spent = self._spent, Counter()  # samples go on while this is written
        lines = [
            f"{';'.join(label(code) for code in reversed(stack))} {microseconds}\n"
            for stack, microseconds in spent.items()
        ]
        beside = path.with_suffix(".new")
        beside.write_text("".join(lines))
        beside.rename(path)
        self._charged_until = time.process_time()  # this was work of the profiler


@cache
def label(code: CodeType) -> str:
    """Return `package/module.py:line function`, as short as its file can be told from others."""
    file = code.co_filename
    for root in sorted(filter(None, sys.path), key=len, reverse=True):
        if file.startswith(root + "/"):
            file = file[len(root) + 1 :]
            break
    return f"{file}:{code.co_firstlineno} {code.co_qualname}".replace(";", ",")


def main() -> None:
    """Run the operator, and sample it from its first import on."""
    directory = Path(sys.argv.pop(1))
    sampler = Sampler()

    def sample(_: int, frame: FrameType | None) -> None:
        sampler.take(frame)

    def end_phase(_: int, frame: FrameType | None) -> None:
        sampler.take(frame)
        sampler.write(directory / f"{(directory / PHASE).read_text().strip()}.folded")

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR2, end_phase)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    # Only now, so that its imports are in the profile of its start.
    from gpuinstance.__main__ import main as operate  # noqa: PLC0415

    try:
        operate()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)  # the interpreter gives its handlers up before it ends


if __name__ == "__main__":
    main()
