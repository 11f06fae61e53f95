"""Where and of what something was measured: commit, processor, memory, kernel, versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.rig.stack import ROOT

_PACKAGES = ("kopf", "kubernetes", "aiohttp", "httpx", "pydantic")


def describe() -> dict[str, str | int | float]:
    """Return the machine and the versions that matter, by name."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _text("/proc/meminfo"), re.MULTILINE)
    load = os.getloadavg()[0]
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count() or 0,
        "memoryGB": round(int(memory[1]) * 1024 / 1e9, 1) if memory else 0,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "loadBefore": round(load, 2),
        **{name: version(name) for name in _PACKAGES},
    }


def commit() -> str:
    """Return the commit that is measured, with `+` where files differ from it; empty outside of a repository."""
    found = _git("rev-parse", "--short=12", "HEAD")
    return f"{found}+" if found and _git("status", "--porcelain", "--untracked-files=no") else found


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - whichever git the developer has
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
