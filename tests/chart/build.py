"""helm, as a program: found where HELM points, or built once into the user's cache.

`make generate` and the tests of the chart call `ensure`; `python -m tests.chart.build` does only this step. The
version is pinned by go.mod and go.sum beside this file; how it is built, is said in `tests.controlplane.gobuild`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from tests.controlplane.gobuild import BuildError, GoModule, ensure_built
from tests.controlplane.progress import Report, printer

_MODULE = GoModule(
    title="helm",
    folder=Path(__file__).parent,
    pin="helm.sh/helm/v4",
    packages={"helm": "helm.sh/helm/v4/cmd/helm"},
    else_="let HELM point to the program helm, of version 4",
)


def ensure(report: Report) -> Path:
    """Return the program, building it first where that was not done before.

    Raises BuildError where HELM names no program, Go is missing, or the build fails.
    """
    named = os.environ.get("HELM")
    if named and not os.access(named, os.X_OK):
        raise BuildError(f"HELM is {named}, which is no program")
    return Path(named) if named else ensure_built(_module(), "helm", report) / "helm"


def version() -> str:
    """Return the pinned version, such as `v4.3.1`."""
    return _MODULE.version()


def _module() -> GoModule:
    stamp = f"-X helm.sh/helm/v4/internal/version.version={version()}"
    return replace(_MODULE, link_flags=(*_MODULE.link_flags, stamp))


def main() -> None:
    """Build it if it is missing, and say where it is."""
    say = printer()
    try:
        program = ensure(say)
    except BuildError as error:
        sys.exit(f"error: {error}")
    say(f"helm: ready in {program.parent}")


if __name__ == "__main__":
    main()
