"""wait as it is typed: which objects, which exit code, what is said to people and to programs."""

from __future__ import annotations

import json

import pytest

from gpuinstance.cli.durations import longest_wait, seconds_of
from tests.unit.cli import objects
from tests.unit.cli.fake_cluster import Console, FakeCluster, cluster, gpu, put
from tests.unit.cli.objects import Object

__all__ = ["cluster", "gpu"]
TRAINER = "gpuinstance.gpuinstance.dev/trainer"


def labelled(it: Object, **labels: str) -> Object:
    it["metadata"]["labels"] = labels
    return it


CODES: dict[str, tuple[str, int, str]] = {
    "reached": ("wait trainer --for Ready", 0, ""),
    "impossible": (
        "wait stuck --for Ready",
        5,
        (
            "error: team-a/stuck: Ready cannot be reached unless somebody acts: Failed (CredentialsUnavailable): "
            "Secret team-a/novita-credentials does not exist\n"
        ),
    ),
    "timed out": (
        "wait new --for Ready --timeout 0",
        6,
        "error: team-a/new: Ready was not reached in time: the operator has not looked at generation 2 yet\n",
    ),
    "never there": ("wait nobody --for Ready", 3, 'error: GPUInstance "nobody" not found in namespace team-a\n'),
    "one of several was never there": (
        "wait trainer nobody --for Ready",
        3,
        'error: GPUInstance "nobody" not found in namespace team-a\n',
    ),
    "deleted already": ("wait nobody --for Deleted", 0, ""),
    "not there yet": (
        "wait nobody --for Exists --timeout 0s",
        6,
        "error: team-a/nobody: Exists was not reached in time: it does not exist yet\n",
    ),
    "several, and one cannot": (
        "wait trainer stuck new --for Ready",
        5,
        (
            "error: team-a/stuck: Ready cannot be reached unless somebody acts: Failed (CredentialsUnavailable): "
            "Secret team-a/novita-credentials does not exist\n"
        ),
    ),
    "by label": ("wait -l app=train --for Ready", 0, ""),
    "by label, and none": ("wait -l app=dance --for Ready", 3, "error: nothing matches\n"),
    "none is left": ("wait -l app=dance --for Deleted", 0, "nothing matches, so nothing is left to wait for\n"),
    "all upgrades": ("wait iup --all --for AwaitingPayment", 0, ""),
    "an upgrade for which somebody has to act": (
        "wait iup/bigger --for Completed",
        5,
        (
            "error: team-a/bigger: Completed cannot be reached unless somebody acts: AwaitingPayment: pay invoice 416 "
            "of 4.00 USD\n"
        ),
    ),
    "an upgrade for which somebody will act": (
        "wait iup/bigger --for Completed --past-actions --timeout 0",
        6,
        "error: team-a/bigger: Completed was not reached in time: AwaitingPayment: pay invoice 416 of 4.00 USD\n",
    ),
    "nothing": ("wait --for Ready", 2, "error: what to wait for? NAME, -l or --all\n"),
    "both kinds": (
        "wait trainer iup/bigger --for Ready",
        2,
        "error: instances and upgrades are waited for by two commands\n",
    ),
    "a name and a label": (
        "wait trainer -l app=train --for Ready",
        2,
        "error: with -l or --all only a kind can be named: gpui or iup\n",
    ),
    "a name in all namespaces": ("wait trainer -A --for Ready", 2, "error: -A goes with -l or --all\n"),
    "two goals": (
        "wait trainer --for Ready --for Stopped",
        2,
        "error: --for can be given once; goals with commas between mean any of them\n",
    ),
}


@pytest.mark.parametrize(("line", "code", "err"), CODES.values(), ids=CODES)
def test_how_it_ends(cluster: FakeCluster, gpu: Console, line: str, code: int, err: str) -> None:
    """An exit code of its own for each end, and a line about whom it is about; quiet where it is no terminal."""
    put(cluster, labelled(objects.ready(), app="train"), objects.instance("new"), objects.awaiting_payment())
    stuck = objects.stuck()
    stuck["metadata"]["name"] = "stuck"
    put(cluster, stuck)
    result = gpu(line)
    assert (result.code, result.err) == (code, err)
    assert not (code and result.out)


def test_all_of_them_at_the_same_time(cluster: FakeCluster, gpu: Console) -> None:
    """One that was there and left again is waited for again."""
    second = objects.instance("second")
    put(cluster, objects.ready(), second)
    ready, starting = objects.ready()["status"], objects.starting()["status"] | {"outcome": None}

    def swap(it: FakeCluster) -> None:
        it.touch("second", status=ready)
        it.touch("trainer", status=starting)

    cluster.meanwhile = [swap, lambda it: it.touch("trainer", status=ready)]
    result = gpu("wait trainer second --for Ready --timeout 9s")
    assert result.code == 0
    assert len(result.out.splitlines()) == 2
    assert cluster.meanwhile == []


def test_deleted_meanwhile(cluster: FakeCluster, gpu: Console) -> None:
    """It is gone, also if another of its name has come; whoever waited for that has it."""
    another = objects.ready()
    another["metadata"] |= {"uid": "another", "resourceVersion": "90"}
    for change in (lambda it: it.objects.clear(), lambda it: it.objects.__setitem__(0, another)):
        for goal, code in (("Ready,Stopped", 7), ("Deleted", 0), ("Exists,Ready", 0)):
            cluster.objects.clear()
            put(cluster, objects.starting())
            cluster.meanwhile = [change]
            result = gpu(f"wait trainer --for {goal} --timeout 9s")
            assert result.code == code, result.err
            if code:
                assert result.err == "error: team-a/trainer: Ready,Stopped cannot be reached any more: it was deleted\n"


def test_created_and_deleted_again(cluster: FakeCluster, gpu: Console) -> None:
    """Waiting for it to exist does not go on for ever once it was there."""
    cluster.meanwhile = [lambda it: put(it, objects.starting()), lambda it: it.objects.clear()]
    result = gpu("wait trainer --for Exists --timeout 9s")
    assert result.code == 0
    assert len(cluster.meanwhile) == 1


def test_data_for_programs(cluster: FakeCluster, gpu: Console) -> None:
    """The objects as they were seen last, however it ended."""
    put(cluster, objects.ready(), objects.instance("new"))
    assert json.loads(gpu("wait trainer --for Ready -o json").out)["metadata"]["name"] == "trainer"
    result = gpu("wait --all --for Ready -o json --timeout 0")
    assert result.code == 6
    assert [it["metadata"]["name"] for it in json.loads(result.out)["items"]] == ["trainer", "new"]
    assert gpu("wait trainer --for Ready -o name").out == f"{TRAINER}\n"


def test_progress_is_for_terminals(cluster: FakeCluster, gpu: Console) -> None:
    """Each change is told beside the answer, with the time that has passed."""
    put(cluster, objects.starting())
    cluster.meanwhile = [lambda _: None, lambda it: it.touch("trainer", status=objects.ready()["status"])]
    result = gpu("wait trainer --for Ready --timeout 9s", typed="")
    assert result.code == 0
    assert [line.split(maxsplit=2)[1:] for line in result.err.splitlines()] == [
        ["trainer", "HealthChecking: port 80: HTTP 502 (bad gateway)"],
        ["trainer", "Ready: machine 5f1c runs and every required endpoint answers"],
    ]


def test_a_right_that_is_missing(cluster: FakeCluster, gpu: Console) -> None:
    """Is the cluster's word, and no end of the wait."""
    cluster.forbidden = {("list", "gpuinstances")}
    result = gpu("wait trainer --for Ready")
    assert (result.code, result.err) == (1, "error: the cluster refused: you may not list gpuinstances\n")


def test_the_longest_wait(cluster: FakeCluster, gpu: Console) -> None:
    """What is allowed is set in the environment; more is cut, and said."""
    put(cluster, objects.ready())
    result = gpu("wait trainer --for Ready --timeout 2h", env={"KUBECTL_GPU_MAX_WAIT": "30m"})
    assert (result.code, result.err) == (0, "waiting for 30m, the longest that is allowed here\n")
    assert gpu("wait trainer --for Ready --timeout 24h").err == ""
    assert "waiting for 24h" in gpu("wait trainer --for Ready --timeout 25h").err
    wrong = gpu("wait trainer --for Ready", env={"KUBECTL_GPU_MAX_WAIT": "long"})
    assert wrong.code == 2
    assert "KUBECTL_GPU_MAX_WAIT" in wrong.err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("1.5h", 5400), ("1h30m5s", 5405), ("500ms", 0.5), ("1d", 86400)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    """As Go writes them, and bare seconds."""
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-5s", "soon", "5 m", "5x", "h"])
def test_what_is_no_length_of_time(text: str) -> None:
    """Is refused."""
    with pytest.raises(ValueError, match="not a length of time"):
        seconds_of(text)


def test_a_day_is_the_most_by_itself() -> None:
    """Unless it is set."""
    assert longest_wait(None) == longest_wait("") == 86400
