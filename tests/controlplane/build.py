"""The control plane's programs: found where KUBEBUILDER_ASSETS points, or built once into the user's cache.

The cluster calls `ensure`, and `python -m tests.controlplane.build` does only this step. What is built is
pinned by go.mod and go.sum beside this file; nothing here repeats a version. The result is kept under a key
of everything that shapes it, so a build happens once for each user and pin. Only the standard library is
used, because this runs before anything else is installed. It starts no server.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.progress import CommandError, Describe, Report, printer, run

MODULE = Path(__file__).parent
"""The folder of the Go module that pins the programs."""

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}

_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
# Without cgo no C compiler is needed, and the programs run on any Linux of the same architecture.
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off"}


class BuildError(RuntimeError):
    """The programs cannot be had; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are. Without a controller manager nothing collects garbage or empties namespaces."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path | None


def ensure(report: Report) -> Binaries:
    """Return the programs, building them first where neither assets nor an earlier build provide them.

    Raises BuildError where KUBEBUILDER_ASSETS lacks a program, Go is missing, or the build fails.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _binaries_in(Path(assets), "KUBEBUILDER_ASSETS points to")
    cache = _cache_directory()
    target = cache / _key()
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{target.name}.lock", report):
            if not target.is_dir():
                _build(target, report)
    return _binaries_in(target, "the cache is damaged: remove")


def kubernetes_version() -> str:
    """Return the pinned Kubernetes version, such as `v1.36.3`, as go.mod states it."""
    pins = (MODULE / "go.mod").read_text()
    found = re.search(r"^\s*k8s\.io/kubernetes (v\d+\.\d+\.\S+)", pins, re.MULTILINE)
    if found is None:
        raise BuildError("go.mod requires no k8s.io/kubernetes")
    return found.group(1)


def _binaries_in(directory: Path, what: str) -> Binaries:
    for name in ("etcd", "kube-apiserver"):
        if not os.access(directory / name, os.X_OK):
            raise BuildError(f"{what} {directory}, which holds no program {name}")
    manager = directory / "kube-controller-manager"
    return Binaries(directory / "etcd", directory / "kube-apiserver", manager if manager.exists() else None)


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gpu-instance-operator" / "controlplane"


def _link_flags() -> str:
    # kubectl refuses to reason about a server that does not know its own version.
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in facts.items()]
    return " ".join(["-s", "-w", *stamps])


def _key() -> str:
    """A name for everything that shapes the result, so that a changed pin never meets an old program."""
    shape = hashlib.sha256()
    for part in (
        (MODULE / "go.mod").read_text(),
        (MODULE / "go.sum").read_text(),
        " ".join(_FLAGS),
        _link_flags(),
        repr(sorted(_ENVIRONMENT.items())),
        repr(sorted(PACKAGES.items())),
        platform.system(),
        platform.machine(),
    ):
        shape.update(part.encode() + b"\0")
    return f"kubernetes-{kubernetes_version()}-{shape.hexdigest()[:16]}"


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    """Hold the build lock: a second builder waits for the first instead of competing for the same cores."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("control plane: another process is building it; waiting for that")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(target: Path, report: Report) -> None:
    if shutil.which("go") is None:
        raise BuildError(
            "Go is needed to build the control plane: install it, or let KUBEBUILDER_ASSETS point to "
            "a folder with etcd and kube-apiserver (and kube-controller-manager)"
        )
    report(f"control plane: building Kubernetes {kubernetes_version()} and etcd, once, into {target}")
    fetched = 0

    def fetching(line: str | None) -> str:
        nonlocal fetched
        fetched += line is not None and line.startswith("go: downloading")
        return f"control plane: looking through the sources, {fetched} modules fetched"

    stale = "{{if .Stale}}{{.ImportPath}}{{end}}"
    listed = _go("list", [*_FLAGS, "-deps", "-f", stale], fetching, report)
    total, done, latest = max(len(listed.split()), 1), 0, ""

    def compiling(line: str | None) -> str:
        nonlocal done, latest
        if line and " " not in line:  # a package path; anything else is a message
            done, latest = done + 1, line
        if done >= total - len(PACKAGES):
            return f"control plane: {total} packages compiled, linking"
        return f"control plane: {done} of {total} packages compiled ({100 * done // total} %), now {latest}"

    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as scratch:
        programs = Path(scratch) / "programs"
        programs.mkdir()
        for_link = f"-ldflags={_link_flags()}"
        _go("build", ["-v", *_FLAGS, for_link, "-o", f"{programs}/"], compiling, report)
        (programs / "server").rename(programs / "etcd")  # Go names a program after its folder
        programs.rename(target)  # in one step: the target is there complete or not at all
    report("control plane: built")


def _go(verb: str, options: list[str], describe: Describe, report: Report) -> str:
    command = ["go", verb, *options, *PACKAGES.values()]
    try:
        return run(command, cwd=MODULE, env=_ENVIRONMENT, describe=describe, report=report)
    except CommandError as error:
        raise BuildError(f"the control plane could not be built: {error}") from error


def main() -> None:
    """Build what is missing, and say where the programs are."""
    say = printer()
    try:
        binaries = ensure(say)
    except BuildError as error:
        sys.exit(f"error: {error}")
    say(f"control plane: ready in {binaries.kube_apiserver.parent}")


if __name__ == "__main__":
    main()
