"""What `list` and `import` share: the options about accounts, and which instances and accounts are looked at.

Addresses are those of the operator's settings, taken from the same variables of the environment, so that a person
who points both at a test account does it once.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from gpuinstance.api.words import ProviderName
from gpuinstance.cli.endings import ClusterTrouble
from gpuinstance.cli.fields import Object, text_at
from gpuinstance.cli.inventory import DEFAULT_MARK
from gpuinstance.cli.inventory_accounts import Inventory, Opener, Place, opener, places, read_inventory
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Session
from gpuinstance.providers.hostwinds.adapter import URL
from gpuinstance.providers.novita.adapter import BASE_URL


def add_account_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    accounts = parser.add_argument_group("which accounts")
    accounts.add_argument(
        "--credentials",
        metavar="PROVIDER=NAMESPACE/NAME",
        action="append",
        default=[],
        type=_place,
        help="one more Secret with an API key, such as the operator's shared one; can be repeated",
    )
    accounts.add_argument(
        "--novita-url", metavar="URL", help="default: $GPUINSTANCE_NOVITA_BASE_URL, else the public API"
    )
    accounts.add_argument(
        "--hostwinds-url", metavar="URL", help="default: $GPUINSTANCE_HOSTWINDS_BASE_URL, else the public API"
    )


def default_mark(env: Mapping[str, str]) -> str:
    """Return the operator's mark, as far as the environment tells it."""
    return env.get("GPUINSTANCE_MARK") or DEFAULT_MARK


def read_accounts(session: Session, instances: Iterable[Object], provider: ProviderName | None = None) -> Inventory:
    """Ask the accounts of these instances, of the namespace, and those that the user has named.

    With `provider` only its accounts. Raises Trouble only where the cluster does not answer.
    """
    instances = list(instances)
    namespaces = sorted({text_at(it, "metadata", "namespace") for it in instances} | {session.namespace or ""} - {""})
    wanted = places(instances, namespaces, session.arguments.credentials)
    if provider is not None:
        wanted = [place for place in wanted if place.provider is provider]
    return read_inventory(session.cluster, wanted, _opener(session))


def known_instances(session: Session, instances: list[Object]) -> tuple[list[Object], bool]:
    """Return all instances of the cluster, to tell whose a machine is, or else those that this user may see.

    `instances` are those that were listed already; the second value says whether all are known.
    """
    if session.namespace is None and not getattr(session.arguments, "selector", None):
        return instances, True
    try:
        return session.cluster.instances(None), True
    except ClusterTrouble as trouble:
        if trouble.status != HTTPStatus.FORBIDDEN:
            raise
    words = "you may not list instances of other namespaces: whether a machine belongs to one of them is not known"
    session.aside.line(Text(words, Style.WAITING))
    return session.cluster.instances(session.namespace_or_current), False


def _opener(session: Session) -> Opener:
    arguments, env = session.arguments, session.env
    return opener(
        novita_url=arguments.novita_url or env.get("GPUINSTANCE_NOVITA_BASE_URL") or BASE_URL,
        hostwinds_url=arguments.hostwinds_url or env.get("GPUINSTANCE_HOSTWINDS_BASE_URL") or URL,
    )


def _place(text: str) -> Place:
    provider, equals, place = text.partition("=")
    namespace, slash, name = place.partition("/")
    if not equals or not slash or not namespace or not name or provider not in set(ProviderName):
        raise argparse.ArgumentTypeError(f'"{text}" is not PROVIDER=NAMESPACE/NAME, with novita or hostwinds')
    return Place(ProviderName(provider), namespace, name, named=False, extra=True)
