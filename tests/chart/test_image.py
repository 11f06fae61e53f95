"""deploy/Dockerfile: what an image made of it holds and how it runs, proved without a container engine.

Its steps are carried out in a folder (see `dockerfile`), with the package registry. The result is started as the
user of the image, on a file system that cannot be written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from gpuinstance import __version__
from tests.chart.dockerfile import PATH, Workshop, stages
from tests.chart.helm import ROOT

USER = 65532
_AS_NOBODY = (
    "mount --make-rprivate / && mount -o remount,bind,ro / && "
    "mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && "
    "exec setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "
    '-- "$@"'
)
"""In a mount namespace of its own: nothing can be written, there nor at the root, and nothing gained."""


def test_the_image_runs_as_nobody() -> None:
    """The user is a number, and not root; the last stage has neither secret nor shell script of its own."""
    _, image = stages()
    assert image.of("USER") == [f"{USER}:{USER}"]
    assert image.of("CMD") == ['["gpu-instance-operator"]']
    assert image.of("ENTRYPOINT") == [] == image.of("ADD")


def test_both_stages_stand_on_the_same_base() -> None:
    """The environment is moved from one stage to the other, and finds its Python there; a digest can be given."""
    text = PATH.read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${PYTHON}"] * 2
    assert re.findall(r"^ARG PYTHON=(\S+)", text, re.MULTILINE) == ["python:3.11-slim"]


def test_everything_installed_is_locked() -> None:
    """Each call of pip that fetches something demands hashes, and none compiles what it fetched."""
    installing = [
        command
        for stage in stages()
        for argument in stage.of("RUN")
        for command in argument.split(" && ")
        if re.search(r"\bpip\b.*\binstall\b", command) and "dist/" not in command
    ]
    assert len(installing) == 2
    assert all("--require-hashes --no-deps --only-binary :all:" in command for command in installing)


def test_the_image_says_what_it_is() -> None:
    """The labels are those of the OCI specification, and the version is that of the program."""
    _, image = stages()
    labels = image.pairs("LABEL")
    wanted = {"title", "description", "licenses", "version", "revision"}
    assert {it.removeprefix("org.opencontainers.image.") for it in labels} == wanted
    assert f"VERSION={__version__}" in image.of("ARG")


def test_the_build_sees_only_what_it_copies() -> None:
    """.dockerignore lets in what a COPY names, and nothing else."""
    copied = {name for argument in stages()[0].of("COPY") for name in argument.split()[:-1]}
    copied |= {
        name for argument in stages()[1].of("COPY") if "--from" not in argument for name in argument.split()[:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    """hadolint, where it is installed, has nothing to say."""
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not on the path")
    done = subprocess.run([linter, str(PATH)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def confined(made: Path, *command: str) -> Sequence[str]:
    """Return a command as a pod would run it: as the image's user, with nothing to write to."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None or shutil.which("unshare") is None:
        pytest.skip("only root can become the image's user here, with unshare and setpriv")
    nobody = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]
    if subprocess.run([*nobody, sys.executable, "-c", ""], capture_output=True, check=False).returncode != 0:
        pytest.skip("this Python is installed where only its owner may read it")
    script = _AS_NOBODY.format(user=USER, folder=made)
    return ["unshare", "--mount", "--ipc", "/bin/sh", "-ec", script, "sh", str(made / "bin" / command[0]), *command[1:]]


def started(made: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it with the environment of the image and nothing else."""
    env = {**stages()[1].pairs("ENV"), **environment}
    env["PATH"] = f"{made / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin"
    return subprocess.run(
        confined(made, *command), env=env, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_what_the_steps_make_runs_as_nobody_on_a_read_only_root() -> None:
    """The steps of the first stage succeed in an empty folder; what they make holds what is locked, and the project.

    All that the chart starts works there as user 65532, with nowhere to write to. One test for the whole, since its
    steps take half a minute.
    """
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the user of the image has to get there
        workshop = Workshop(folder)
        workshop.build(stages()[0])
        holds_what_is_locked(workshop.root)
        cannot_be_written(workshop.root)
        for command, words in COMMANDS.items():
            done = started(workshop.root, *command)
            assert done.returncode == 0, done.stderr
            assert words in done.stdout
        looks_for_its_api_server(workshop.root)


COMMANDS = {
    ("gpu-instance-operator", "--version"): f"gpu-instance-operator {__version__}",
    ("kubectl-gpu", "version", "--help"): "usage:",
    ("python", "-m", "gpuinstance_simulator", "--help"): "A simulated GPU cloud",
    ("python", "-c", "import os; print(os.getuid(), os.getgid())"): f"{USER} {USER}",
}
"""What can be started in the image, and a word of the answer."""


def holds_what_is_locked(made: Path) -> None:
    """The list of packages in the image, made by pip itself, is that of the lock and the project."""
    inspected = json.loads((made / "packages.json").read_text())
    installed = {it["metadata"]["name"].lower().replace("_", "-") for it in inspected["installed"]}
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert installed == {*locked, "gpu-instance-operator"}


def looks_for_its_api_server(made: Path) -> None:
    """The operator gets as far as looking for it, and says in one line that there is none."""
    done = started(made, "gpu-instance-operator", GPUINSTANCE_HTTP_LISTEN="127.0.0.1:0")
    assert done.returncode == 1
    assert "this is no pod with a service account, and KUBECONFIG cannot be used" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def cannot_be_written(made: Path) -> None:
    """The confinement is what it says: neither the program's folder nor the root takes a file."""
    for place in (made, Path("/")):
        done = started(made, "python", "-c", f"open({str(place / 'written')!r}, 'w')")
        assert "Read-only file system" in done.stderr
