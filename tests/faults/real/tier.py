"""The whole real tier: one API server, several lanes beside each other, kills first, other disturbances after.

Which kills, is said by `choose` and rotated by the seed: one seed dies at every write and every change, and a
few seeds die everywhere.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.controlplane.cluster import LocalCluster
from tests.controlplane.progress import printer
from tests.faults.boundaries import Boundary, Class, Run
from tests.faults.findings import Tally
from tests.faults.real.campaign import carry_out, open_cluster, reference, runs
from tests.faults.real.disturbances import DISTURBANCES, disturb
from tests.faults.real.lane import Lane, Loop
from tests.faults.scenarios import BY_NAME, SCENARIOS
from tests.faults.screen import Bar
from tests.faults.virtual.campaign import Reference, Result
from tests.faults.virtual.tier import count
from tests.rig.stack import install

Job = Callable[[Lane], None]


@contextlib.contextmanager
def lanes_on(cluster: LocalCluster, directory: Path, number: int) -> Iterator[list[Lane]]:
    """So many lanes on this cluster, open while the block lasts."""
    install(cluster.kubectl())
    loop = Loop()
    lanes = [Lane(cluster, directory / f"lane-{n}", n, loop) for n in range(1, number + 1)]
    try:
        work(lanes, [Lane.open for _ in lanes], one_each=True)
        yield lanes
    finally:
        for lane in lanes:
            lane.close()
        loop.close()


def whole_tier(failures: list[Result], *, seed: int, lanes: int) -> tuple[list[Tally], list[Tally]]:
    """Live all chosen runs; return the tallies of the kills and of the other disturbances."""
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        cluster = open_cluster(Path(scratch) / "controlplane", printer())
        try:
            with lanes_on(cluster, Path(scratch), lanes) as opened:
                references = references_on(opened, [it.name for it in SCENARIOS])
                kills = _kills(opened, references, failures, seed)
                return kills, _disturbances(opened, references, failures)
        finally:
            cluster.stop()


def _kills(lanes: Sequence[Lane], of: Mapping[str, Reference], failures: list[Result], seed: int) -> list[Tally]:
    chosen = [run for name, it in of.items() for run in choose(list(runs(BY_NAME[name], it)), seed)]
    tallies = {name: Tally(name, boundaries=len(it.boundaries)) for name, it in of.items()}
    bar, lock = Bar("killed", len(chosen)), threading.Lock()

    def job(run: Run) -> Job:
        def live(lane: Lane) -> None:
            result = carry_out(lane, run, of[run.scenario])
            with lock:
                count(tallies[run.scenario], result, failures, killed=result.struck)
            bar.step(result.run, result.findings.words)

        return live

    work(lanes, [job(run) for run in chosen])
    return list(tallies.values())


def _disturbances(lanes: Sequence[Lane], of: Mapping[str, Reference], failures: list[Result]) -> list[Tally]:
    """All lanes at once; at the end, on one lane, those that touch what all lanes share."""
    tallies = {name: Tally(name) for name in DISTURBANCES}
    bar, lock = Bar("disturbed", len(DISTURBANCES)), threading.Lock()

    def job(name: str) -> Job:
        def live(lane: Lane) -> None:
            result = disturb(lane, name, of[DISTURBANCES[name].scenario].end)
            with lock:
                count(tallies[name], result, failures, killed=False)
            bar.step(result.run, result.findings.words)

        return live

    work(lanes, [job(name) for name, it in DISTURBANCES.items() if not it.alone])
    work(lanes[:1], [job(name) for name, it in DISTURBANCES.items() if it.alone])
    return list(tallies.values())


def references_on(lanes: Sequence[Lane], names: Sequence[str]) -> Mapping[str, Reference]:
    """Live these scenarios undisturbed. Raises AssertionError where one goes wrong without any trouble."""
    found: dict[str, Reference] = {}
    bar = Bar("recorded", len(names))

    def job(name: str) -> Job:
        def live(lane: Lane) -> None:
            found[name] = reference(lane, BY_NAME[name])
            bar.step(name, found[name].findings.words)

        return live

    work(lanes, [job(name) for name in names])
    wrong = [f"{name}: {'; '.join(it.findings.words)}" for name, it in found.items() if not it.findings.fine]
    assert not wrong, f"wrong without any trouble: {' | '.join(wrong)}"
    return {name: found[name] for name in names}


def choose(everything: Sequence[Run], seed: int) -> list[Run]:
    """Return which of a scenario's runs this seed chooses: each write once, each change in three ways, and every
    second one of the rest; other seeds choose other places in the call, and the other half of the rest.
    """
    chosen: list[Run] = []
    for number, (boundary, group) in enumerate(itertools.groupby(everything, lambda run: run.boundary)):
        points, kind = list(group), Boundary.parse(boundary).kind
        first = seed + number
        if kind is Class.CHANGE:
            chosen += [points[(first + n) % len(points)] for n in range(3)]
        elif kind in {Class.STATUS, Class.FINALIZER} or first % 2 == 0:
            chosen.append(points[first % len(points)])
    return chosen


def rerun(run: Run) -> Result:
    """Live one run of this tier, on a control plane of its own."""
    with _single_lane() as lane:
        name = run.boundary if run.scenario == "disturbances" else run.scenario
        of = references_on([lane], [name])[name]
        if run.scenario == "disturbances":
            return disturb(lane, run.trouble, of.end)
        result = carry_out(lane, run, of)
        if not result.findings.fine:
            print(lane.log[-6000:])
        return result


def rerun_undisturbed(scenario: str) -> Reference:
    """Live one scenario without trouble, on a control plane of its own."""
    with _single_lane() as lane:
        return reference(lane, BY_NAME[scenario])


@contextlib.contextmanager
def _single_lane() -> Iterator[Lane]:
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        cluster = open_cluster(Path(scratch) / "controlplane", printer())
        try:
            with lanes_on(cluster, Path(scratch), 1) as (lane,):
                yield lane
        finally:
            cluster.stop()


def work(lanes: Sequence[Lane], jobs: Sequence[Job], *, one_each: bool = False) -> None:
    """Do the jobs on all lanes at once, each on the next one that is free. Raises what a job raises."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    troubles: list[BaseException] = []

    def serve(lane: Lane) -> None:
        while not troubles:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                job(lane)
            except BaseException as trouble:  # noqa: BLE001 - it is raised again, where the jobs are waited for
                troubles.append(trouble)
            if one_each:
                return

    threads = [threading.Thread(target=serve, args=(lane,), name=lane.namespace) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise troubles[0]
