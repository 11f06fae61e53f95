"""Which machines of a listing concern an object: its own, its namesakes', and the one that it adopts. Pure."""

from __future__ import annotations

from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.core.model import Listing
from gpuinstance.core.naming import Identity
from gpuinstance.core.snapshot import Seen


def sight_of(instance: GPUInstance, identity: Identity, listing: Listing) -> Seen:
    """Return what the listing shows of the object: what carries its name or is recorded is its own."""
    alike = listing.with_stem(identity.family)
    ours = list(identity.ours(alike))
    recorded, adopt = instance.status.instance, instance.spec.adopt
    if recorded is not None and recorded.id is not None:
        ours += [it for it in listing.with_id(recorded.id) if it not in ours]
    candidates = () if adopt is None else tuple(listing.with_id(adopt.instance_id))
    namesakes = tuple(it for it in alike if identity.is_namesake(it.name))
    return Seen(tuple(ours), namesakes, listing.started_at, candidates)
