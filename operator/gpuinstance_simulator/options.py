"""The command line of the simulator: its options, their defaults, and the parts they are for.

Called by `__main__` only. Durations of states come from the provider's table and quirks from its model, so that
a new state or quirk has its option by itself.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from gpuinstance_simulator.catalogue import Port
from gpuinstance_simulator.faults import Fault
from gpuinstance_simulator.lifecycle import Lifecycle
from gpuinstance_simulator.providers import PROVIDERS, Provider
from gpuinstance_simulator.settings import Settings

_DESCRIPTION = """\
A simulated GPU cloud. It serves

  {face}
  /_apps/...         the applications behind exposed http ports, where the provider has a proxy
  /_simulator/...    ledger, faults, clock and other truths, without authentication

and prints one line when it is ready: listening on http://HOST:PORT

All durations are virtual seconds, of which --speed pass in a real one.
"""
_HABITS = Settings()
_DEFAULT_PROVIDER = "novita"
_HIGHEST_PORT = 65535


def provider(arguments: Sequence[str] | None) -> Provider:
    """The provider that the arguments name: the other options depend on it."""
    first = argparse.ArgumentParser(prog="python -m gpuinstance_simulator", add_help=False, allow_abbrev=False)
    _add_provider(first)
    return PROVIDERS[first.parse_known_args(arguments)[0].provider]


def parser(provider: Provider, default_key: str) -> argparse.ArgumentParser:
    """The parser; the functions below turn what it parsed into parts."""
    root = argparse.ArgumentParser(
        prog="python -m gpuinstance_simulator",
        usage="python -m gpuinstance_simulator [options]",
        description=_DESCRIPTION.format(face=provider.description),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_provider(root)
    _add_server(root, default_key)
    _add_times(root, provider.lifecycle)
    _add_world(root, provider.ports)
    _add_quirks(root, provider.quirks)
    return root


def state_seconds(options: argparse.Namespace, lifecycle: Lifecycle) -> Mapping[str, float]:
    """The durations of states, by the provider's word."""
    return {word: getattr(options, word) for word in _timed_states(lifecycle)}


def settings(options: argparse.Namespace) -> Settings:
    """The cloud's habits."""
    return Settings(
        listing_lag=options.listing_lag,
        deletion_lag=options.listing_lag if options.deletion_lag is None else options.deletion_lag,
        lookups_lag=options.lookups_lag,
        warm_up=options.warm_up,
        edit_delay=options.edit_delay,
        spot_lifetime=options.spot_lifetime,
        balance=options.balance,
        machine_limit=options.machine_limit,
    )


def quirks(options: argparse.Namespace, model: type[BaseModel]) -> Mapping[str, object]:
    """The provider's quirks, by the names of the fields of its model."""
    return {name: getattr(options, f"quirk_{name}") for name in model.model_fields}


def ports(options: argparse.Namespace, default: Sequence[Port]) -> Sequence[Port]:
    """The ports of the applications in every machine."""
    given = (("http", options.http_port), ("tcp", options.tcp_port)) if default else ()
    return [
        port
        for protocol, numbers in given
        for port in (
            [it for it in default if it.protocol == protocol]
            if numbers is None
            else [Port(number, protocol) for number in numbers]
        )
    ]


def _add_provider(root: argparse.ArgumentParser) -> None:
    text = f"whose API is spoken; the other options depend on it (default: {_DEFAULT_PROVIDER})"
    root.add_argument("--provider", choices=sorted(PROVIDERS), default=_DEFAULT_PROVIDER, help=text)


def _add_server(root: argparse.ArgumentParser, default_key: str) -> None:
    add = root.add_argument
    text = "where to serve; port 0 takes any free one (default: 127.0.0.1:0)"
    add("--listen", metavar="HOST:PORT", type=_address, default=("127.0.0.1", 0), help=text)
    text = f"a key that opens the account; may be given several times (default: {default_key})"
    add("--api-key", metavar="KEY", action="append", help=text)
    text = "virtual seconds per real second; 0: only /_simulator/clock moves time (default: 1)"
    add("--speed", metavar="N", type=_not_negative, default=1.0, help=text)
    text = "all chance (ids, free choice of a cluster) follows from it (default: 0)"
    add("--seed", metavar="N", type=int, default=0, help=text)
    text = "a JSON list of faults to begin with, as POST /_simulator/faults takes them"
    add("--faults", metavar="FILE", type=_faults, default=[], help=text)


def _add_times(root: argparse.ArgumentParser, lifecycle: Lifecycle) -> None:
    group = root.add_argument_group("lags, in virtual seconds")
    text = "listings learn so late of new machines (default: 0)"
    group.add_argument("--listing-lag", metavar="S", type=_not_negative, default=0.0, help=text)
    text = "listings learn so late of deletions (default: as --listing-lag)"
    group.add_argument("--deletion-lag", metavar="S", type=_not_negative, help=text)
    text = "looking at one machine by its id lags as listings do"
    group.add_argument("--lookups-lag", action="store_true", help=text)

    group = root.add_argument_group("durations, in virtual seconds")
    durations = [(word, f"time in the state {word}", it) for word, it in _timed_states(lifecycle).items()]
    durations += [
        ("warm_up", "from running to the application answering", _HABITS.warm_up),
        ("edit_delay", "until a change of ports or disk takes effect", _HABITS.edit_delay),
    ]
    for name, text, default in durations:
        help_text = f"{text} (default: {default:g})"
        group.add_argument(_flag(name), dest=name, metavar="S", type=_not_negative, default=default, help=help_text)
    text = "spot machines are reclaimed after this run time, at least an hour (default: never)"
    group.add_argument("--spot-lifetime", metavar="S", type=_not_negative, help=text)


def _add_world(root: argparse.ArgumentParser, default_ports: Sequence[Port]) -> None:
    group = root.add_argument_group("the account")
    text = "money in the account (default: without end)"
    group.add_argument("--balance", metavar="USD", type=Decimal, help=text)
    text = "most machines at once (default: any number)"
    group.add_argument("--machine-limit", metavar="N", type=int, help=text)
    for protocol in ("http", "tcp") if default_ports else ():
        numbers = ", ".join(str(it.number) for it in default_ports if it.protocol == protocol)
        text = f"applications in every machine speak {protocol} on this port; may be given again (default: {numbers})"
        group.add_argument(f"--{protocol}-port", metavar="N", type=_port, action="append", help=text)


def _add_quirks(root: argparse.ArgumentParser, model: type[BaseModel]) -> None:
    group = root.add_argument_group("what the provider's documentation leaves open")
    for name, field in model.model_fields.items():
        text = field.description or ""
        if field.annotation is bool:
            group.add_argument(_flag(name), dest=f"quirk_{name}", action="store_true", help=text)
        else:
            text = f"{text} (default: {field.default})"
            group.add_argument(_flag(name), dest=f"quirk_{name}", default=field.default, help=text, **_values(field))


def _values(field: FieldInfo) -> dict[str, Any]:
    """How argparse checks the values of a field that is no switch."""
    if get_origin(field.annotation) is Literal:
        choices = get_args(field.annotation)
        return {"choices": choices, "type": type(choices[0])}
    return {"metavar": "N", "type": field.annotation}


def _flag(name: str) -> str:
    """`warm_up` and `toCreate` as options."""
    return "--" + re.sub(r"(?=[A-Z])|_", "-", name).lower()


def _timed_states(lifecycle: Lifecycle) -> dict[str, float]:
    return {word: it.seconds for word, it in lifecycle.states.items() if it.seconds is not None}


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError("must be between 1 and 65535")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def _faults(text: str) -> list[Fault]:
    try:
        return TypeAdapter(list[Fault]).validate_json(Path(text).read_bytes())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
