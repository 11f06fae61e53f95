"""The numbers of a bench: percentiles, quantiles of histograms, samples of a scrape, changes between two runs."""

from __future__ import annotations

import math

import pytest

from tests.bench.numbers import histogram_quantile, percentile
from tests.bench.scrape import Scrape
from tests.bench.table import Row, change, lines, number, usage_lines, verdict
from tests.bench.usage import Usage

METRICS = """\
# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{operation="list",code="Success"} 3.0
calls_total{operation="list",code="Unavailable"} 1.0
calls_total{operation="create",code="Success"} 7.0
calls_totally_different 99.0
plain 2.5
# TYPE lag_seconds histogram
lag_seconds_bucket{le="0.1"} %d
lag_seconds_bucket{le="0.5"} %d
lag_seconds_bucket{le="+Inf"} %d
lag_seconds_count 0
"""


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.95, 0.0),
        ([7.0], 0.95, 7.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        (list(range(1, 21)), 0.95, 19),  # of twenty, one may be slower
        (list(range(1, 101)), 0.95, 95),
        (list(range(1, 101)), 1.0, 100),
        ([1.0, 2.0], 0.0, 1.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float, expected: float) -> None:
    """The smallest one that is not less than the share of all."""
    assert percentile(values, share) == expected


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ({}, 0.99, 0.0),
        ({0.1: 0, math.inf: 0}, 0.99, 0.0),
        ({0.1: 99, 0.5: 100, math.inf: 100}, 0.99, 0.1),
        ({0.1: 98, 0.5: 100, math.inf: 100}, 0.99, 0.5),
        ({math.inf: 100, 0.1: 0, 0.5: 0}, 0.99, math.inf),
    ],
)
def test_a_quantile_is_the_bound_of_its_bucket(buckets: dict[float, float], share: float, expected: float) -> None:
    """In whatever order the buckets come."""
    assert histogram_quantile(buckets, share) == expected


def test_a_scrape_sums_what_carries_the_labels() -> None:
    """All series of exactly this name, or those that carry each label asked for."""
    scrape = Scrape(METRICS % (0, 0, 0))
    assert scrape.total("calls_total") == 11
    assert scrape.total("calls_total", operation="list") == 4
    assert scrape.total("calls_total", operation="list", code="Success") == 3
    assert scrape.total("plain") == 2.5
    assert scrape.total("nothing_of_that_name") == 0


def test_a_quantile_may_begin_at_an_earlier_scrape() -> None:
    """What was counted before does not weigh in."""
    before, after = Scrape(METRICS % (0, 100, 100)), Scrape(METRICS % (100, 200, 200))
    assert before.quantile("lag_seconds", 0.99) == 0.5
    assert after.quantile("lag_seconds", 0.99) == 0.5
    assert after.quantile("lag_seconds", 0.99, before) == 0.1


def test_a_row_is_judged_by_its_limit_only() -> None:
    """On the limit is within it; rows without one are for orientation."""
    rows = [Row("writes", 6, limit=6), Row("memory", 201, "MB", 200), Row("health checks", 33.3)]
    assert [row.met for row in rows] == [True, False, None]
    assert verdict(rows) == "1 of 2 limits met"
    table = lines(rows)
    assert [line.endswith("over") for line in table] == [False, False, True, False]


def test_an_earlier_run_stands_beside() -> None:
    """With the change; a row that is new has neither."""
    table = lines([Row("CPU", 0.05, "cores", 0.05), Row("new", 1)], {"CPU": 0.2, "gone": 3})
    assert table[1].split() == ["CPU", "0.050", "0.200", "-75%", "0.050", "cores"]
    assert table[2].split() == ["new", "1"]


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [(None, 1, ""), (2, 2, "="), (0, 0, "="), (0, 1, "new"), (2, 3, "+50%"), (4, 1, "-75%")],
)
def test_a_change_is_told_in_per_cent(then: float | None, now: float, expected: str) -> None:
    """Of what it was; from nothing to something there is no such number."""
    assert change(then, now) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(6.0, "6"), (10_000, "10,000"), (0.0456, "0.046"), (28.654, "28.65"), (math.inf, "inf")]
)
def test_a_number_has_as_many_digits_as_say_something(value: float, expected: str) -> None:
    """Counts have none behind the point, small numbers three."""
    assert number(value) == expected


def test_who_used_the_processors_is_told_by_phase() -> None:
    """One line for each program, also for one that was not there in each phase."""
    phases = {"up": Usage({"operator": 12.0, "etcd": 3.0}, 30.0), "rest": Usage({"operator": 1.0}, 60.0)}
    table = [line.split() for line in usage_lines(phases)]
    assert table == [
        ["CPU", "seconds", "up", "rest"],
        ["operator", "12.0", "1.0"],
        ["etcd", "3.0", "0.0"],
        ["seconds", "on", "the", "wall", "30.0", "60.0"],
    ]
