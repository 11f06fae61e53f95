"""Argo CD's health of one resource: deploy/argocd/health.lua, run by a real Lua the way Argo CD runs it.

Argo CD uses Lua 5.1, sets the object as the global `obj`, takes the table that the script returns, and opens no
library but the basic one, `table`, and a part of `os`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime  # type: ignore[import-untyped] # ships no types

from tests.rig.stack import ROOT

SCRIPT = ROOT / "deploy" / "argocd" / "health.lua"
_CLOSED = ("string", "math", "io", "os", "debug", "coroutine", "python", "dofile", "loadfile")
_CODES = {"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}


def judge(body: dict[str, Any]) -> str:
    """Return the health that Argo CD shows for the object."""
    # Before it asks any script: an object on its way out is "Pending deletion".
    if body["metadata"].get("deletionTimestamp"):
        return "Progressing"
    code, message = run(SCRIPT, body)
    assert code in _CODES
    assert message.strip(), "a person wants to know why"
    return code


def run(script: Path, body: dict[str, Any]) -> tuple[str, str]:
    """Return status and message of a health script for the object."""
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    for name in _CLOSED:
        lua.globals()[name] = None
    lua.globals()["obj"] = lua.table_from(body, recursive=True)
    health = lua.execute(_source(script))
    return str(health["status"]), str(health["message"])


@cache
def _source(script: Path) -> str:
    return script.read_text(encoding="utf-8")
