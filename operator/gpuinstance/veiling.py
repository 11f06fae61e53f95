"""What a provider says about a machine, without what the machine's environment holds.

Called by the rooms that observe. The words about a machine in trouble end up in conditions, and a provider may
quote in them what it was given. The log may have forgotten those values since the machine was bought, or never
have heard them in this process: so the Secrets are read again, for machines in trouble alone. Where one cannot
be read any more, nobody knows what to look for, and the words are not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.core.model import Machine
from gpuinstance.credentials import Accounts
from gpuinstance.logs import without_secrets

_NOT_SHOWN = "its words are not shown, because Secret {} lacks {}, and they may hold what was in it"


async def veiled(accounts: Accounts, instance: GPUInstance, machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """Return the machines of an instance with words that may be shown. Raises KubeError."""
    if not any(machine.trouble for machine in machines):
        return tuple(machines)
    values: list[str] = []
    for variable in instance.spec.env or ():
        reference = variable.value_from.secret_key_ref if variable.value_from is not None else None
        if reference is None:
            continue
        value = await accounts.secret_text(instance.metadata.namespace, reference.name, reference.key)
        if value is None:
            words = _NOT_SHOWN.format(reference.name, reference.key)
            return tuple(replace(it, trouble=words) if it.trouble else it for it in machines)
        values.append(value)
    return tuple(replace(it, trouble=without_secrets(it.trouble, values)) if it.trouble else it for it in machines)
