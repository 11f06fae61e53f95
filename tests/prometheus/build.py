"""promtool, Prometheus' own tool: found where PROMTOOL points, or built once into the user's cache.

The tests of the alerts call `ensure`, and `python -m tests.prometheus.build` does only this step. The version is
pinned by go.mod and go.sum beside this file; how it is built, is said in `tests.controlplane.gobuild`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.controlplane.gobuild import BuildError, GoModule, ensure_built
from tests.controlplane.progress import Report, printer

_MODULE = GoModule(
    title="promtool",
    folder=Path(__file__).parent,
    pin="github.com/prometheus/prometheus",
    packages={"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
    else_="let PROMTOOL point to the program promtool of Prometheus 3",
    # Finding targets in two dozen clouds is most of the program, and nothing of it is needed here.
    tags=("remove_all_sd",),
)


def ensure(report: Report) -> Path:
    """Return the program, building it first where that was not done before.

    Raises BuildError where PROMTOOL names no program, Go is missing, or the build fails.
    """
    named = os.environ.get("PROMTOOL")
    if named and not os.access(named, os.X_OK):
        raise BuildError(f"PROMTOOL is {named}, which is no program")
    return Path(named) if named else ensure_built(_MODULE, "prometheus", report) / "promtool"


def main() -> None:
    """Build it if it is missing, and say where it is."""
    say = printer()
    try:
        program = ensure(say)
    except BuildError as error:
        sys.exit(f"error: {error}")
    say(f"promtool: ready in {program.parent}")


if __name__ == "__main__":
    main()
