"""Programs built once from a pinned Go module into the user's cache, with progress to watch.

The control plane and the Prometheus tools are built so. What is built is pinned by go.mod and go.sum in a folder;
nothing here repeats a version. The result is kept under a key of everything that shapes it, so a build happens
once for each user and pin. Several may be begun at once, in processes of their own: they fetch side by side and
compile one after the other. Only the standard library is used, because this runs before anything else is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.controlplane.progress import CommandError, Describe, Report, run

_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
# Without cgo no C compiler is needed, and the programs run on any Linux of the same architecture.
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off"}
# Memory for time: the compiler collects its garbage less often, which spares a fifth of its work. It shapes nothing.
_HASTE = {"GOGC": "400"}


class BuildError(RuntimeError):
    """The programs cannot be had; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class GoModule:
    """A folder with go.mod and go.sum, and what is built of it."""

    title: str
    """What a person calls it, such as `control plane`."""
    folder: Path
    """Where go.mod and go.sum are, and the sources of a program of our own."""
    pin: str
    """The module whose version names the result, such as `k8s.io/kubernetes`."""
    packages: Mapping[str, str]
    """The programs and their packages."""
    else_: str
    """What helps where there is no Go, as the end of a sentence."""
    tags: tuple[str, ...] = ()
    """Go build tags."""
    link_flags: tuple[str, ...] = ("-s", "-w")
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Programs that Go names otherwise, after their folder: from Go's name to ours."""

    def version(self) -> str:
        """Return the pinned version, such as `v1.36.3`, as go.mod states it. Raises BuildError."""
        pins = (self.folder / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.pin)} (v\d+\.\d+\.\S+)", pins, re.MULTILINE)
        if found is None:
            raise BuildError(f"go.mod requires no {self.pin}")
        return found.group(1)

    @property
    def flags(self) -> tuple[str, ...]:
        """What every call of Go is given."""
        return (*_FLAGS, f"-tags={','.join(self.tags)}") if self.tags else _FLAGS

    def key(self) -> str:
        """Return a name for everything that shapes the result, so that a changed pin never meets an old program."""
        shape = hashlib.sha256()
        for part in (
            (self.folder / "go.mod").read_text(),
            (self.folder / "go.sum").read_text(),
            *(source.read_text() for source in sorted(self.folder.glob("*.go"))),
            " ".join(self.flags),
            " ".join(self.link_flags),
            repr(sorted(_ENVIRONMENT.items())),
            repr(sorted(self.packages.items())),
            platform.system(),
            platform.machine(),
        ):
            shape.update(part.encode() + b"\0")
        return f"{self.pin.rpartition('/')[2]}-{self.version()}-{shape.hexdigest()[:16]}"


def ensure_built(module: GoModule, kind: str, report: Report) -> Path:
    """Return the folder with the module's programs, after building them where that was not done before.

    `kind` is the folder of the cache. Raises BuildError where Go is missing, or the build fails.
    """
    cache = _cache_directory() / kind
    target = cache / module.key()
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        lock = cache / f"{target.name}.lock"
        with _locked(lock, lambda: report(f"{module.title}: another process is building it; waiting for that")):
            if not target.is_dir():
                _build(module, target, report)
    return target


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gpu-instance-operator"


@contextmanager
def _locked(path: Path, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Hold a lock; where somebody else holds it, do `meanwhile` before waiting for them."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            meanwhile()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(module: GoModule, target: Path, report: Report) -> None:
    title = module.title
    if shutil.which("go") is None:
        raise BuildError(f"Go is needed to build the {title}: install it, or {module.else_}")
    report(f"{title}: building {module.pin} {module.version()}, once, into {target}")

    def fetch() -> None:
        _stale(module, report)
        report(f"{title}: everything is fetched; waiting for the compiler, which builds something else")

    # Each build could use all cores; side by side they would only compile twice what they share.
    with _locked(target.parent.parent / "compiler.lock", fetch):
        _compile(module, target, report)
    report(f"{title}: built")


def _stale(module: GoModule, report: Report) -> list[str]:
    """Fetch all sources that are needed; return the packages that have to be compiled."""
    fetched = 0

    def fetching(line: str | None) -> str:
        nonlocal fetched
        fetched += line is not None and line.startswith("go: downloading")
        return f"{module.title}: looking through the sources, {fetched} modules fetched"

    stale = "{{if .Stale}}{{.ImportPath}}{{end}}"
    return _go("list", [*module.flags, "-deps", "-f", stale], module, fetching, report).split()


def _compile(module: GoModule, target: Path, report: Report) -> None:
    title, total, done, latest = module.title, max(len(_stale(module, report)), 1), 0, ""

    def compiling(line: str | None) -> str:
        nonlocal done, latest
        if line and " " not in line:  # a package path; anything else is a message
            done, latest = done + 1, line
        if done >= total - len(module.packages):
            return f"{title}: {total} packages compiled, linking"
        return f"{title}: {done} of {total} packages compiled ({100 * done // total} %), now {latest}"

    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as scratch:
        programs = Path(scratch) / "programs"
        programs.mkdir()
        for_link = f"-ldflags={' '.join(module.link_flags)}"
        _go("build", ["-v", *module.flags, for_link, "-o", f"{programs}/"], module, compiling, report)
        for by_go, name in module.renamed.items():
            (programs / by_go).rename(programs / name)
        programs.rename(target)  # in one step: the target is there complete or not at all


def _go(verb: str, options: list[str], module: GoModule, describe: Describe, report: Report) -> str:
    command = ["go", verb, *options, *module.packages.values()]
    try:
        return run(command, cwd=module.folder, env={**_ENVIRONMENT, **_HASTE}, describe=describe, report=report)
    except CommandError as error:
        raise BuildError(f"the {module.title} could not be built: {error}") from error
