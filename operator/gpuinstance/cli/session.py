"""What every command gets, and what every command is.

`command` makes one Session for each call and hands it to the Command that the arguments name. The rooms under
`commands/` read the session, ask its cluster and print on its streams; they know neither each other nor the parser.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from gpuinstance.cli.cluster import Cluster
from gpuinstance.cli.endings import Exit
from gpuinstance.cli.screen import Screen


@dataclass(frozen=True)
class Session:
    """One call of the command line: the arguments, the cluster that they name, the streams and the clock."""

    cluster: Cluster
    """Reads its kubeconfig when it is first asked something."""
    arguments: argparse.Namespace
    out: TextIO
    err: TextIO
    env: Mapping[str, str]
    now: Callable[[], datetime]
    stdin: TextIO | None = None
    """Only a terminal is asked anything."""

    @property
    def screen(self) -> Screen:
        """Where the answer is printed."""
        return Screen.of(self.out, self.env)

    @property
    def aside(self) -> Screen:
        """Where remarks, progress and questions are printed, so that a pipe gets the answer alone."""
        return Screen.of(self.err, self.env)

    @property
    def namespace(self) -> str | None:
        """The namespace that is meant; None for all of them."""
        return None if getattr(self.arguments, "all_namespaces", False) else self.namespace_or_current

    @property
    def namespace_or_current(self) -> str:
        """The namespace that is named, else that of the context."""
        return str(self.arguments.namespace or self.cluster.namespace)

    @property
    def person(self) -> TextIO | None:
        """Somebody who can be asked: standard input, if it is a terminal."""
        return self.stdin if self.stdin is not None and self.stdin.isatty() else None


@dataclass(frozen=True, slots=True)
class Command:
    """One command of `kubectl gpu`."""

    name: str
    help: str
    """A few words, for the list of commands."""
    description: str
    configure: Callable[[argparse.ArgumentParser], None]
    """Adds arguments and options; the common ones are there already."""
    run: Callable[[Session], Exit]
    examples: tuple[str, ...] = ()
    words_behind: bool = False
    """True: what stands behind `--` is not ours to read, and is `arguments.behind`."""


def all_namespaces(parser: argparse.ArgumentParser, words: str) -> None:
    """Add -A, which makes `Session.namespace` None."""
    parser.add_argument("-A", "--all-namespaces", action="store_true", help=words)


def no_arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing."""
