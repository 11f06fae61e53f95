"""Who used the processors, read from a /proc of our own making."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench.usage import BENCH, IDLE, OTHERS, STOLEN, Meter, Usage, cpu_seconds, resident_megabytes

TICKS = os.sysconf("SC_CLK_TCK")


class Proc:
    """A /proc with a machine and some processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.machine()

    def machine(self, *, busy: float = 0, idle: float = 0, stolen: float = 0) -> None:
        """Let the machine have been busy, idle and kept from running for so many seconds."""
        user, quiet, taken = (round(seconds * TICKS) for seconds in (busy, idle, stolen))
        (self.path / "stat").write_text(f"cpu  {user} 0 0 {quiet} 0 0 0 {taken} 0 0\ncpu0 1 1 1 1\n")

    def process(self, pid: int, *, user: float, system: float = 0.0, pages: int = 0) -> None:
        """Let a process have used so many seconds. Its name holds what separates the fields."""
        (self.path / str(pid)).mkdir(exist_ok=True)
        ticks = f"{round(user * TICKS)} {round(system * TICKS)}"
        (self.path / str(pid) / "stat").write_text(f"{pid} (a ) b) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 20 0 1\n")
        (self.path / str(pid) / "statm").write_text(f"999 {pages} 1 1 0 1 0\n")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def test_a_process_has_used_what_it_and_the_kernel_used(proc: Proc) -> None:
    """Whatever its name looks like."""
    proc.process(7, user=1.5, system=0.5, pages=1000)
    assert cpu_seconds(7, proc.path) == 2.0
    assert resident_megabytes(7, proc.path) == pytest.approx(os.sysconf("SC_PAGE_SIZE") / 1000)


def test_a_span_holds_what_was_used_in_it(proc: Proc) -> None:
    """Of each program, and of the machine as a whole."""
    proc.process(7, user=10)
    meter = Meter(lambda: {"operator": 7}, proc.path)
    before = meter.read()
    proc.process(7, user=13)
    proc.machine(busy=100, idle=20, stolen=5)
    used = meter.read().since(before)
    assert used.cpu["operator"] == pytest.approx(3)
    assert used.cpu[IDLE] == pytest.approx(20)
    assert used.cpu[STOLEN] == pytest.approx(5)
    assert used.cpu[OTHERS] == pytest.approx(100 - 3 - used.cpu[BENCH])
    assert used.elapsed >= 0


def test_a_program_that_was_restarted_is_still_the_same(proc: Proc) -> None:
    """What its first process used is not forgotten, and not taken from the second one."""
    pids = {"operator": 7}
    meter = Meter(lambda: pids, proc.path)
    proc.process(7, user=10)
    before = meter.read()
    proc.process(7, user=11)
    meter.read()
    pids["operator"] = 8
    proc.process(8, user=2)
    assert meter.read().since(before).cpu["operator"] == pytest.approx(3)


def test_nothing_is_negative() -> None:
    """Ticks are coarse: a neighbour may seem to have used less than nothing."""
    used = Usage({"everybody else": 1.0}, 2.0).since(Usage({"everybody else": 1.25}, 1.0))
    assert used.cpu == {"everybody else": 0.0}
