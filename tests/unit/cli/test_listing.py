"""The table of instances."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from gpuinstance.api.crd import PRINTER_COLUMNS
from gpuinstance.cli.listing import COLUMNS, show_table, summary
from gpuinstance.cli.screen import Screen, span
from tests.unit.cli import objects
from tests.unit.cli.objects import NOW, Object


def table(*instances: Object, wide: bool = False, namespaces: bool = False) -> str:
    out = io.StringIO()
    show_table(instances, Screen(out, width=200), NOW, wide=wide, namespaces=namespaces)
    return out.getvalue()


def test_the_table() -> None:
    """One line each, `-` where nothing is known."""
    assert table(objects.ready(), objects.instance("new")) == (
        "NAME      PHASE   READY   HEALTH    PRODUCT         GPUS   PRICE/H   AGE\n"
        "trainer   Ready   True    Healthy   RTX 4090 24GB   2      1.4       5m\n"
        "new       -       -       -         -               2      -         5m\n"
    )


def test_wide_and_all_namespaces_add_columns() -> None:
    """In front the namespace, behind what few people need."""
    header, line = table(objects.starting(), wide=True, namespaces=True).splitlines()
    assert header.split()[0] == "NAMESPACE"
    assert header.split()[-5:] == ["REGION", "INSTANCE", "PROVIDER", "ENDPOINT", "REASON"]
    assert line.split()[0] == "team-a"
    assert line.split()[-5:] == ["US-CA-06", "5f1c", "novita", "https://5f1c-80.proxy.example", "HealthChecking"]


def test_the_columns_are_those_of_the_custom_resource() -> None:
    """`kubectl get` and this table look alike."""
    ours = [(column.title, column.wide) for column in COLUMNS[1:]]
    assert ours == [(name.upper(), bool(priority)) for name, _, _, priority in PRINTER_COLUMNS]


def test_an_object_of_another_version_is_listed() -> None:
    """Unknown words and missing parts are no reason to show nothing."""
    strange = objects.instance("strange", phase="Dreaming", conditions=None, instance=None, endpoints=[])
    assert "Dreaming" in table(strange, wide=True)


@pytest.mark.parametrize(
    ("instances", "text"),
    [
        ([objects.ready()], "1 instance, 1 ready, $1.4/h"),
        ([objects.ready(), objects.starting(), objects.refused()], "3 instances, 1 ready, $2.8/h"),
        ([objects.instance(phase="Stopped", instance=objects.MACHINE)], "1 instance, 0 ready"),
    ],
)
def test_summary(instances: list[Object], text: str) -> None:
    """What is up is counted and added up."""
    assert summary(instances) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (119, "119s"),
        (120, "2m"),
        (325, "5m25s"),
        (700, "11m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 1800, "3h30m"),
        (30 * 3600, "30h"),
        (3 * 86400 + 7200, "3d2h"),
        (90 * 86400, "90d"),
    ],
)
def test_spans_are_rounded_as_kubectl_does(seconds: int, text: str) -> None:
    """Fine when short, coarse when long."""
    assert span(timedelta(seconds=seconds)) == text
