"""Whose machine it is that several objects may claim: pure, over the objects as the API server shows them.

Called by `observing` for an object that names a machine in `spec.adopt`. Nobody arranges who gets it: each object
finds the same answer for itself, from names, records and ages.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionType
from gpuinstance.core.model import Machine
from gpuinstance.kube import Body


def owner_of(machine: Machine, bodies: Iterable[Body], asking: GPUInstance) -> str | None:
    """Return in words which other object's machine this is: by its name, by a record, or by an earlier wish.

    None if it is nobody's, or belongs to the one that asks.
    """
    for body in bodies:
        metadata, spec = body["metadata"], body.get("spec") or {}
        # Ids of two providers have nothing to do with each other.
        if metadata["uid"] == asking.metadata.uid or spec.get("provider") != asking.spec.provider:
            continue
        bought = f"-{metadata['uid'].replace('-', '')[:8]}-" in machine.name
        if bought or _goes_before(body, asking, machine):
            return f"GPUInstance {metadata['namespace']}/{metadata['name']}"
    return None


def _goes_before(body: Body, asking: GPUInstance, machine: Machine) -> bool:
    """True if an object has taken note of the machine, or wants to, before the one that asks."""
    status, recorded = body.get("status") or {}, asking.status.instance
    holds = (status.get("instance") or {}).get("id") == machine.id
    i_hold = recorded is not None and recorded.id == machine.id
    if holds is not i_hold:
        return holds
    adopts = ((body.get("spec") or {}).get("adopt") or {}).get("instanceID") == machine.id
    return (holds or (adopts and not _is_hopeless(body))) and _age(body) < _age_of(asking)


def _age(body: Body) -> tuple[str, str]:
    """Return what tells which object came first; the uid decides within a second."""
    return body["metadata"].get("creationTimestamp") or "", body["metadata"]["uid"]


def _age_of(asking: GPUInstance) -> tuple[str, str]:
    created = asking.metadata.creation_timestamp
    return created.strftime("%Y-%m-%dT%H:%M:%SZ") if created else "", asking.metadata.uid


def _is_hopeless(body: Body) -> bool:
    """True for an object that goes, or in whose account the machine is not: it does not keep others from it."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    failed = any(c["type"] == ConditionType.READY and c["reason"] == Reason.ADOPTION_FAILED for c in conditions)
    return failed or bool(body["metadata"].get("deletionTimestamp"))
