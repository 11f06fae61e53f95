"""`make matrix`: the unit tests on each Python that the project is for, each in a fresh environment from the lock.

An interpreter is looked for on PATH, pyenv's included, and tried; one that does not start is named as absent. What
is done with it is what `make test-unit` does, in an environment of its own beside `.venv`. Only the standard library
is used, since nothing is installed where this runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")
"""Those that pyproject.toml names."""

_CLOSING_LINE = re.compile(r"=+ (.*\b(?:passed|failed|errors?)\b.*) in [\d.]+s.* =+$")
_ENVIRONMENTS = Path(".matrix")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one Python."""

    python: str
    verdict: str
    tests: str = ""
    seconds: float = 0

    def row(self) -> str:
        """Return its line of the table."""
        minutes, seconds = divmod(int(self.seconds), 60)
        took = f"{minutes}m{seconds:02d}s" if self.seconds else ""
        return f"{self.python:<8} {self.verdict:<8} {took:>7}  {self.tests}".rstrip()


def found(version: str, environment: Mapping[str, str]) -> str | None:
    """Return the path of the first `pythonVERSION` on PATH that starts, None where there is none."""
    for folder in environment.get("PATH", "").split(os.pathsep):
        program = shutil.which(f"python{version}", path=folder)
        if program is None:
            continue
        ask = [program, "-c", "import sys, venv, ensurepip; print(sys.executable)"]
        answer = subprocess.run(ask, env=dict(environment), capture_output=True, text=True, check=False)
        if answer.returncode == 0:  # else it is a shim for something that is not installed, or has no venv
            return answer.stdout.strip()
    return None


def with_all_of_pyenv(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the shims of pyenv start whatever it has installed, not only what is chosen."""
    pyenv = shutil.which("pyenv", path=environment.get("PATH"))
    if pyenv is None:
        return dict(environment)
    listed = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, text=True, check=False)
    return {**environment, "PYENV_VERSION": ":".join(listed.stdout.split())}


def tried(version: str, python: str) -> Result:
    """Make the environment, run the unit tests in it while their output is shown, and return how they ended."""
    folder = _ENVIRONMENTS / version
    shutil.rmtree(folder, ignore_errors=True)
    began, closing = time.monotonic(), ""
    command = ["make", "test-unit", f"VENV={folder}", f"BASE_PYTHON={python}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        while part := os.read(process.stdout.fileno(), 65536):  # as it comes: pytest fills its lines dot by dot
            sys.stdout.buffer.write(part)
            sys.stdout.flush()
            closing = (closing + part.decode(errors="replace"))[-1000:]
    last = next((match for line in reversed(closing.splitlines()) if (match := _CLOSING_LINE.match(line))), None)
    verdict = "passed" if process.returncode == 0 else "FAILED"
    return Result(version, verdict, last.group(1) if last else "no test was run", time.monotonic() - began)


def main() -> None:
    """Try all versions, print a table, and fail where one of them failed."""
    environment = with_all_of_pyenv(os.environ)
    results = []
    for version in VERSIONS:
        python = found(version, environment)
        if python is None:
            sys.stdout.write(f"matrix: no python{version} on PATH that starts and makes environments\n")
            results.append(Result(version, "skipped", "not here"))
            continue
        sys.stdout.write(f"matrix: Python {version} is {python}\n")
        sys.stdout.flush()
        results.append(tried(version, python))
    sys.stdout.write("\nPython   verdict     time  tests\n" + "".join(f"{result.row()}\n" for result in results))
    sys.exit(any(result.verdict == "FAILED" for result in results))


if __name__ == "__main__":
    main()
