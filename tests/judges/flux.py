"""Flux's health of one resource: the expressions of deploy/flux, evaluated by a real CEL the way Flux does.

Flux parses the expressions without type checks and gives them the fields of the object as variables. An error in
an expression makes the health Unknown, so that Flux waits until its timeout.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from cel_expr_python import cel  # type: ignore[import-untyped] # has stubs, but no marker that it does

from tests.rig.stack import ROOT

FOLDER = ROOT / "deploy" / "flux"
MACHINES, UPGRADES = FOLDER / "kustomization.yaml", FOLDER / "upgrade.yaml"
"""The Kustomization for the machines, and that for their upgrades."""
_IN_ORDER = (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current"))


def judge(body: dict[str, Any]) -> str:
    """Return Current, InProgress, Failed or Unknown."""
    observed = (body.get("status") or {}).get("observedGeneration")
    if isinstance(observed, int) and observed != body["metadata"]["generation"]:
        return "InProgress"
    for name, verdict in _IN_ORDER:
        value = _compiled(expressions(body["kind"])[name]).eval(data=body)
        if value.type() != cel.Type.BOOL:
            return "Unknown"
        if value.value():
            return verdict
    return "InProgress"


@cache
def expressions(kind: str) -> dict[str, str]:
    """Return the three expressions for one of our kinds."""
    found = [
        it
        for path in (MACHINES, UPGRADES)
        for it in yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["healthCheckExprs"]
        if it["kind"] == kind
    ]
    assert len(found) == 1
    return {name: found[0][name] for name, _ in _IN_ORDER}


@cache
def _compiled(expression: str) -> Any:
    return cel.NewEnv().compile(expression, disable_check=True)
