"""The engines' own code as one program: found where ENGINES points, or built once into the user's cache.

The judges ask it, and `python -m tests.judges.build` does only this step. The versions are pinned by go.mod and
go.sum in the folder `engines`, beside the source; how it is built, is said in `tests.controlplane.gobuild`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.controlplane.gobuild import BuildError, GoModule, ensure_built
from tests.controlplane.progress import Report, printer

_MODULE = GoModule(
    title="engines",
    folder=Path(__file__).parent / "engines",
    pin="github.com/argoproj/argo-cd/gitops-engine",
    packages={"engines": "gpuinstance.dev/engines"},
    else_="let ENGINES point to the program that is built of tests/judges/engines",
)


def ensure(report: Report) -> Path:
    """Return the program, building it first where that was not done before.

    Raises BuildError where ENGINES names no program, Go is missing, or the build fails.
    """
    named = os.environ.get("ENGINES")
    if named and not os.access(named, os.X_OK):
        raise BuildError(f"ENGINES is {named}, which is no program")
    return Path(named) if named else ensure_built(_MODULE, "engines", report) / "engines"


def main() -> None:
    """Build it if it is missing, and say where it is."""
    say = printer()
    try:
        program = ensure(say)
    except BuildError as error:
        sys.exit(f"error: {error}")
    say(f"engines: ready in {program.parent}")


if __name__ == "__main__":
    main()
