"""What can stand where the cursor is: commands, options, words, and names of objects from the cluster.

`candidates` walks through the words with the parser's own description of the commands. It asks the cluster at most
once, and only for what is needed at the cursor; where that fails, nothing is offered.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gpuinstance.cli.cluster import INSTANCES, NAMESPACES, UPGRADES, Cluster, Resource
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Trouble
from gpuinstance.cli.goals import words as goals
from gpuinstance.cli.grammar import Grammar

_PATIENCE = 3.0
"""Seconds for the cluster to answer: somebody has pressed a key and looks at the cursor."""
_UPGRADE = "iup/"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One word that fits, and what it is."""

    word: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """All words that fit; or files do."""

    candidates: tuple[Candidate, ...] = ()
    files: bool = False


@dataclass(slots=True)
class _Line:
    """What was typed before the cursor."""

    command: argparse.ArgumentParser | None = None
    pending: argparse.Action | None = None
    """The option whose value comes next."""
    values: dict[str, str] = field(default_factory=dict)
    """Of options, by name."""
    names: list[str] = field(default_factory=list)
    """Arguments that are no options."""


def complete(
    words: Sequence[str], grammar: Grammar, connect: Callable[[str | None, str | None], Cluster]
) -> Completion:
    """Return what fits for the last of the words, which may be empty.

    `connect` returns a cluster for a kubeconfig and a context.
    """
    *before, word = words or [""]
    # Bash takes `--for=St` apart into three words, and completes the last of them.
    line, word = _read([it for it in before if it != "="], grammar), "" if word == "=" else word
    if line is None:
        return Completion()
    if line.pending is not None:
        return _fitting(_values(line.pending, line, word, connect), word)
    options = _options(line.command or grammar.whole)
    if word.startswith("-"):
        name, equals, value = word.partition("=")
        if equals and name in options:
            found = _fitting(_values(options[name], line, value, connect), value)
            return Completion(tuple(Candidate(f"{name}={it.word}", it.about) for it in found.candidates), found.files)
        spelled = (Candidate(it, action.help or "") for it, action in options.items() if it.startswith("--"))
        return _fitting(Completion(tuple(spelled)), word)
    if line.command is None:
        return _fitting(Completion(tuple(Candidate(it.name, it.help) for it in grammar.commands)), word)
    positional = _positional(line.command, len(line.names))
    return Completion() if positional is None else _fitting(_values(positional, line, word, connect), word)


def _read(words: Sequence[str], grammar: Grammar) -> _Line | None:
    """Read what stands before the cursor; None if it makes no sense."""
    line = _Line()
    for word in words:
        if line.pending is not None:
            line.values[line.pending.dest] = word
            line.pending = None
        elif word.startswith("-") and word != "-":
            name, equals, value = word.partition("=")
            action = _options(line.command or grammar.whole).get(name)
            if action is not None and equals:
                line.values[action.dest] = value
            elif action is not None and action.nargs != 0:
                line.pending = action
        elif line.command is None:
            if word not in grammar.parsers:
                return None
            line.command = grammar.parsers[word]
        else:
            line.names.append(word)
    return line


def _values(
    action: argparse.Action, line: _Line, word: str, connect: Callable[[str | None, str | None], Cluster]
) -> Completion:
    """Return what may stand there, by the name under which help shows it."""
    if action.choices is not None:
        return Completion(tuple(Candidate(str(choice)) for choice in action.choices))
    if action.metavar == "FILE":
        return Completion(files=True)
    if action.metavar == "GOAL":
        resource = UPGRADES if any(name.startswith(_UPGRADE) or name == "iup" for name in line.names) else INSTANCES
        before = word[: word.rfind(",") + 1]
        return Completion(tuple(Candidate(before + it) for it in goals(resource)))
    try:
        cluster = connect(line.values.get("kubeconfig"), line.values.get("context"))
        try:
            return Completion(tuple(_asked(action, line, word, cluster)))
        finally:
            cluster.close()
    except Trouble:
        return Completion()


def _asked(action: argparse.Action, line: _Line, word: str, cluster: Cluster) -> list[Candidate]:
    if action.dest == "context":
        return [Candidate(it) for it in cluster.contexts()]
    if action.dest == "namespace":
        found = cluster.list(NAMESPACES, None, patience=_PATIENCE).items
        return [Candidate(str(it["metadata"]["name"])) for it in found]
    namespace = line.values.get("namespace") or cluster.namespace
    if action.metavar == "UPGRADE" and not action.option_strings:
        return _names(cluster, UPGRADES, namespace, line)
    if action.metavar != "NAME" or action.option_strings:
        return []
    if word.startswith(_UPGRADE):
        found_upgrades = _names(cluster, UPGRADES, namespace, line, _UPGRADE)
        return found_upgrades if _UPGRADE in (action.help or "") else []
    kind = "gpui/" if word.startswith("gpui/") else ""
    return _names(cluster, INSTANCES, namespace, line, kind)


def _names(cluster: Cluster, resource: Resource, namespace: str, line: _Line, kind: str = "") -> list[Candidate]:
    found = cluster.list(resource, namespace, patience=_PATIENCE).items
    named = [Candidate(f"{kind}{it['metadata']['name']}", _phase(it)) for it in found]
    return [it for it in named if it.word not in line.names]


def _phase(it: Object) -> str:
    return str((it.get("status") or {}).get("phase") or "")


def _fitting(found: Completion, word: str) -> Completion:
    return Completion(tuple(it for it in found.candidates if it.word.startswith(word)), found.files)


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {name: action for action in _actions(parser) for name in action.option_strings}


def _positional(parser: argparse.ArgumentParser, number: int) -> argparse.Action | None:
    """Return the argument at that place; one that may be repeated is at all further places as well."""
    positionals = [action for action in _actions(parser) if not action.option_strings]
    if number < len(positionals):
        return positionals[number]
    last = positionals[-1] if positionals else None
    return last if last is not None and last.nargs in {"*", "+", argparse.REMAINDER} else None


def _actions(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse has no other way to tell what was added to it
