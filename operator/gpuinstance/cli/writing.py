"""Changes objects as a person decided on what was shown: if somebody writes meanwhile, it is decided anew.

Used by the commands that change something. Also what they have in common: --dry-run, and the warning that a
controller which follows Git will take the change back.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from http import HTTPStatus

from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.cli.cluster import INSTANCES, Resource
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import ClusterTrouble
from gpuinstance.cli.gitops import owner_of
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Session

_TRIES = 5
"""The operator writes the status of an object at work a few times in a second at most."""


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Add --dry-run."""
    text = "server: the API server says whether it would, and changes nothing"
    parser.add_argument("--dry-run", choices=("none", "server"), default="none", help=text)


def is_rehearsal(session: Session) -> bool:
    """True with --dry-run=server."""
    return bool(session.arguments.dry_run == "server")


def change(
    session: Session,
    read: Callable[[], Object],
    decide: Callable[[Object], Object | None],
    *,
    resource: Resource = INSTANCES,
) -> Object:
    """Read an object, decide on the change of its spec, and write it if nobody else has written meanwhile.

    Else all of it is done again. `decide` returns None if nothing is to be changed. Returns the object as it is now.
    Raises Trouble.
    """
    rehearse = is_rehearsal(session)
    for left in reversed(range(_TRIES)):
        found = read()
        changes = decide(found)
        if changes is None:
            return found
        metadata = ObjectMeta.model_validate(found["metadata"])
        try:
            return session.cluster.patch_spec(metadata, changes, rehearse=rehearse, unchanged=True, resource=resource)
        except ClusterTrouble as trouble:
            if trouble.status != HTTPStatus.CONFLICT or not left:
                raise
    raise AssertionError("the last try returns or raises")


def warn_about_git(session: Session, it: Object) -> None:
    """Say that a change by hand will not last, if a controller follows Git."""
    owner = owner_of(it)
    if owner is not None:
        session.aside.line(
            Text("warning: ", Style.WAITING),
            f"{it['metadata']['name']} is kept by {owner}: its next sync takes this back, so change it in Git as well",
        )
