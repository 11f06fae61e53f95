"""`kubectl gpu abandon`: let an object go without its machine, by somebody who knows what that means.

The way out where deletion waits for what will not come: an API key that is lost, a machine that the provider
does not delete. It says what stays behind, has the name typed, and then does what the user could do by hand,
with the user's own rights: `deletionPolicy: Orphan`, and delete. Both are rehearsed first, so that nothing is
changed where one of them is refused. No provider is called.
"""

from __future__ import annotations

from collections.abc import Callable

from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.cluster import Cluster
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.screen import Screen, Style, Text

Ask = Callable[[], str | None]
"""Returns what a person typed; None where nobody is there to type anything."""

_ORPHAN = {"deletionPolicy": "Orphan"}


def abandon(cluster: Cluster, instance: GPUInstance, screen: Screen, ask: Ask) -> str:
    """Explain, have it confirmed, and let the object go; returns what was done. Raises Trouble.

    Before the name is confirmed nothing is changed: Trouble with `Exit.NOT_CONFIRMED`.
    """
    metadata = instance.metadata
    if instance.spec.deletion_protection:
        raise Trouble(f"{metadata.name} has spec.deletionProtection: set it to false first")
    _explain(instance, screen)
    typed = ask()
    if typed is None:
        raise Trouble(f"not confirmed, nothing was changed: add --confirm {metadata.name}", Exit.NOT_CONFIRMED)
    if typed.strip() != metadata.name:
        words = f'"{typed.strip()}" is not the name of the instance, "{metadata.name}": nothing was changed'
        raise Trouble(words, Exit.NOT_CONFIRMED)
    cluster.patch_spec(metadata, _ORPHAN, rehearse=True)
    cluster.delete(metadata, rehearse=True)
    cluster.patch_spec(metadata, _ORPHAN)
    try:
        cluster.delete(metadata)
    except Trouble as trouble:
        words = f"deletionPolicy of {metadata.name} is Orphan by now, but it was not deleted: {trouble}"
        raise Trouble(words, trouble.code) from trouble
    return (
        f"{metadata.namespace}/{metadata.name} is abandoned: the operator lets it go at its next look. "
        f"Left at {instance.spec.provider}: {_machine(instance)}."
    )


def _explain(instance: GPUInstance, screen: Screen) -> None:
    place, provider = f"{instance.metadata.namespace}/{instance.metadata.name}", instance.spec.provider
    recorded = instance.status.instance
    price = f", at ${recorded.hourly_price}/h when it was bought" if recorded and recorded.hourly_price else ""
    screen.line(Text(f"{place} is about to be deleted WITHOUT its machine.", Style.BOLD))
    screen.paragraph(
        f"What stays behind at {provider}: {_machine(instance)}. It may run and be billed on{price}, until somebody "
        f"removes it in {provider}'s console. No object of this cluster will show it, stop it or delete it any more; "
        "to manage it again, import it with spec.adopt.instanceID.",
        indent=2,
    )


def _machine(instance: GPUInstance) -> str:
    """Return the machine in words by which it is found in the provider's console."""
    recorded = instance.status.instance
    if recorded is None:
        return "whatever was bought for it (none is recorded)"
    product = f", {recorded.product_name}" if recorded.product_name else ""
    return f"machine {recorded.id or 'of unknown id'} ({recorded.name}{product})"
