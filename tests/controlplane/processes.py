"""Child programs that never outlive the process that wanted them.

The control plane and the rig start everything through `Child`. Each child leads its own process group, so
that a Ctrl-C in the terminal reaches only the caller, which then stops the children in order; the kernel
kills a child whose caller died by anything else, kill -9 included. A child is stopped by its process id,
never by name. What the programs are, nobody here knows.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import queue
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None, use_errno=True)
_STOP_SECONDS = 15.0
_PORTS = range(20_000, 32_000)
_SHARES = 8

Spawn = Callable[[], "subprocess.Popen[bytes]"]


class ChildError(RuntimeError):
    """A child ended when it should run; the message holds the end of its log."""


class Child:
    """One program, with its log and its process id in files of `directory`. Restarts append to the log."""

    def __init__(
        self, name: str, command: Sequence[str | Path], directory: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.env = dict(env or {})
        """Added to the caller's environment at the next start."""
        self._command = [str(part) for part in command]
        self._pid_file = directory / f"{name}.pid"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """True from start until the program ends, for whatever reason."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id. Raises ChildError where the program does not run."""
        if self._process is None or not self.running:
            raise ChildError(self.obituary())
        return self._process.pid

    def start(self) -> None:
        """Start the program; it must not be running."""
        if self.running:
            raise ChildError(f"{self.name} runs already")
        self._process = _spawner.call(self._spawn)
        self._pid_file.write_text(f"{self._process.pid}\n")
        atexit.register(self.stop)

    def stop(self, seconds: float = _STOP_SECONDS) -> int | None:
        """Ask the program to end, force it after `seconds`; return its exit code, None if it never ran."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """End the program at once, as a crash of its machine would."""
        self._end(signal.SIGKILL, _STOP_SECONDS)

    def check(self) -> None:
        """Raise ChildError where the program does not run."""
        if not self.running:
            raise ChildError(self.obituary())

    def tail(self, lines: int = 25) -> str:
        """Return the end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def obituary(self) -> str:
        """Say how the program ended, with the end of its log."""
        code = None if self._process is None else self._process.poll()
        return f"{self.name} does not run (exit code {code}); the end of {self.log}:\n{self.tail()}"

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=tether(),  # noqa: PLW1509 - the spawner thread holds no lock of ours when it forks
            )

    def _end(self, number: signal.Signals, seconds: float) -> int | None:
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._pid_file.unlink(missing_ok=True)
        atexit.unregister(self.stop)
        return process.returncode


class _Spawner:
    """Starts all children from one thread that lives as long as the process.

    The kernel's tether holds to the *thread* that started a child: without this, a child started from a
    short-lived worker thread (`asyncio.to_thread`) would be killed when that thread ends.
    """

    def __init__(self) -> None:
        self._calls: queue.Queue[tuple[Spawn, Future[subprocess.Popen[bytes]]]] = queue.Queue()
        self._once = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self, function: Spawn) -> subprocess.Popen[bytes]:
        with self._once:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
                self._thread.start()
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._calls.put((function, answer))
        return answer.result()

    def _serve(self) -> None:
        while True:
            function, answer = self._calls.get()
            try:
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who gets it
                answer.set_exception(error)


_spawner = _Spawner()


def tether() -> Callable[[], None]:
    """Return what a child calls before it becomes its program, to die with the thread that starts it."""
    parent = os.getpid()

    def bind() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the caller died before the tether held
            os._exit(1)

    return bind


def free_port() -> int:
    """Return a free TCP port of the loopback interface.

    It lies below the range from which the kernel serves outgoing connections, so that it stays free while
    a server that had it restarts. Workers of pytest-xdist, who may all look before anybody serves, have shares of
    their own.
    """
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    while True:
        port = random.choice(_PORTS[share::_SHARES])
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
