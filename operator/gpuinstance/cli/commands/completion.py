"""`kubectl gpu completion`: the script with which a shell asks `kubectl-gpu __complete` what fits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from gpuinstance.cli.completing import Completion
from gpuinstance.cli.endings import Exit
from gpuinstance.cli.session import Command, Session

_BASH = r"""# bash completion for kubectl-gpu
_kubectl_gpu() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :4) ;;
            :*) compopt -o default ;;
            *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kubectl_gpu kubectl-gpu
"""

_ZSH = r"""#compdef kubectl-gpu
_kubectl_gpu() {
    local -a found
    local line word
    while IFS= read -r line; do
        case $line in
            :4) ;;
            :*) _files ;;
            *) word=${line%%$'\t'*}; found+=("${word//:/\\:}:${${line#$word}#$'\t'}") ;;
        esac
    done < <(kubectl-gpu __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe kubectl-gpu found
}
compdef _kubectl_gpu kubectl-gpu
"""

_FISH = r"""# fish completion for kubectl-gpu
function __kubectl_gpu
    set -l words (commandline -opc) (commandline -ct)
    kubectl-gpu __complete $words[2..-1] 2>/dev/null | string match --invert --regex '^:'
end
complete --command kubectl-gpu --no-files --arguments '(__kubectl_gpu)'
"""

SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_NO_FILES, _FILES = ":4", ":0"
"""How kubectl, which completes as cobra does, wants to be told whether names of files fit as well."""


def answer(found: Completion) -> str:
    """Return what `__complete` prints: a word a line, what it is behind a tab, and at the end whether files fit."""
    lines = [f"{it.word}\t{it.about}" if it.about else it.word for it in found.candidates]
    return "\n".join([*lines, _FILES if found.files else _NO_FILES]) + "\n"


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help="bash, zsh or fish")


def _run(session: Session) -> Exit:
    session.out.write(SCRIPTS[session.arguments.shell])
    return Exit.OK


COMMAND = Command(
    name="completion",
    help="print the completion script of a shell",
    description=(
        "Print the script that completes `kubectl-gpu` in bash, zsh or fish. `kubectl gpu` is completed by kubectl's "
        "own completion, which calls the command kubectl_complete-gpu that is installed with this one."
    ),
    configure=_configure,
    run=_run,
    examples=(
        "source <(kubectl gpu completion bash)",
        "kubectl gpu completion fish | source",
    ),
)
