"""How the command line is written: the parser of all commands, built from their list, and what --help shows.

Used by `command`, which knows the list, and by `completing`, which walks through it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gpuinstance.cli.endings import MEANINGS
from gpuinstance.cli.session import Command

_INDENT = 32


class Grammar:
    """The parser of all commands; `groups` are shown under their titles, in their order."""

    def __init__(self, groups: Mapping[str, Sequence[Command]]) -> None:
        self.commands = tuple(command for group in groups.values() for command in group)
        self.whole = argparse.ArgumentParser(
            prog="kubectl gpu",
            usage="%(prog)s COMMAND [options]",
            description="GPU instances of this cluster, for people.",
            epilog=f"{_overview(groups)}\n\n{_exit_codes()}\n\n`kubectl gpu COMMAND --help` tells more about each.",
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=_INDENT),
            allow_abbrev=False,
        )
        _add_common(self.whole, default=None)
        entries = self.whole.add_subparsers(
            dest="command", metavar="COMMAND", required=True, help=argparse.SUPPRESS, prog=self.whole.prog
        )
        self.parsers: Mapping[str, argparse.ArgumentParser] = {
            command.name: _filled(entries.add_parser(command.name, **_texts(command)), command)
            for command in self.commands
        }

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Return what the arguments say. Raises SystemExit for --help, and for what is not valid.

        Without any argument it is --help, as for kubectl. What is behind `--` is set apart, because argparse would
        mix it in.
        """
        argv = argv or ["--help"]
        end = argv.index("--") if "--" in argv else len(argv)
        behind = list(argv[end + 1 :])
        arguments = argparse.Namespace(behind=behind)
        self.whole.parse_args(argv[:end], arguments)
        takes_words = {command.name for command in self.commands if command.words_behind}
        if behind and arguments.command not in takes_words:
            self.whole.error(f"{arguments.command} takes nothing behind --")
        return arguments


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps the description and leaves the examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)  # noqa: SLF001 - its only way to wrap


def _texts(command: Command) -> dict[str, Any]:
    examples = "".join(f"\n  {it}" for it in command.examples)
    return {
        "description": command.description,
        "epilog": f"examples:{examples}" if examples else None,
        "formatter_class": partial(_Formatter, max_help_position=_INDENT),
        "allow_abbrev": False,
    }


def _filled(parser: argparse.ArgumentParser, command: Command) -> argparse.ArgumentParser:
    command.configure(parser)
    # Given after the command they win; not given there they must not undo what stands before it.
    _add_common(parser, default=argparse.SUPPRESS)
    return parser


def _add_common(to: argparse.ArgumentParser, *, default: str | None) -> None:
    common = to.add_argument_group("which cluster")
    common.add_argument(
        "--kubeconfig", metavar="FILE", default=default, help="default: $KUBECONFIG, else ~/.kube/config"
    )
    common.add_argument("--context", metavar="NAME", default=default, help="default: the current one of the kubeconfig")
    common.add_argument("-n", "--namespace", metavar="NAME", default=default, help="default: that of the context")


def _overview(groups: Mapping[str, Sequence[Command]]) -> str:
    width = max(len(command.name) for group in groups.values() for command in group) + 2
    shown = (
        f"{title}:\n" + "\n".join(f"  {command.name:<{width}}{command.help}" for command in group)
        for title, group in groups.items()
    )
    return "\n\n".join(shown)


def _exit_codes() -> str:
    return "exit codes:\n" + "\n".join(f"  {code:>3d}  {words}" for code, words in MEANINGS.items())
