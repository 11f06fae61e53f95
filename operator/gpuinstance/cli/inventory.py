"""Resources of the cluster beside the machines that their providers list: which belong together, and do they agree.

Pure; called by the commands `list` and `import`. The provider is believed: where the two differ, its word is the
row's, and the resource's is told as the difference. Nothing is guessed from what was not read: an account that
did not answer makes "missing" impossible, and objects that may not be seen make "without resource" impossible.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gpuinstance.cli.fields import Object, at, text_at
from gpuinstance.cli.inventory_differences import differences
from gpuinstance.cli.inventory_rows import Account, Row, Source, Verdict, reference, secret_of
from gpuinstance.core.model import Machine

DEFAULT_MARK = "gpui"
"""The operator's, where no machine of a resource tells another one."""

_A_NAME_OF_OURS = re.compile(r"([a-z][a-z0-9]{0,15})-.+-([0-9a-f]{8})-([1-9][0-9]{0,8})")
"""Mark, beginning of the object's uid, and number of the purchase; see `core.naming`."""


def merge(
    instances: Sequence[Object], accounts: Sequence[Account], *, default_mark: str = DEFAULT_MARK, all_seen: bool = True
) -> list[Row]:
    """Return one row for each resource, in their order, then one for each machine that is no resource's own.

    `all_seen` says that `instances` are all of the cluster.
    """
    machines = _listed(accounts)
    owned = _owned(instances, machines)
    rows = [_row_of(instance, owned.get(_uid(instance)), accounts) for instance in instances]
    taken = {key for key, _ in owned.values()}
    objects, marks = {_uid8(it): reference(it) for it in instances}, _marks(instances) or {default_mark}
    rest = [
        _row_of_stranger(provider, machine, account, objects, marks, all_seen=all_seen)
        for (provider, machine_id), (machine, account) in machines.items()
        if (provider, machine_id) not in taken
    ]
    return rows + sorted(rest, key=lambda it: (it.provider, it.verdict, it.machine.name if it.machine else ""))


def counts(rows: Iterable[Row]) -> str:
    """Return one line about all rows, e.g. `2 both, 1 resource, 1 provider; 1 differs, 1 foreign`."""
    rows = list(rows)
    sources, verdicts = Counter(row.source for row in rows), Counter(row.verdict for row in rows)
    odd = [f"{verdicts[it]} {it}" for it in Verdict if verdicts[it] and it is not Verdict.CONSISTENT]
    return "; ".join(filter(None, (", ".join(f"{sources[it]} {it}" for it in Source), ", ".join(odd))))


_Key = tuple[str, str]
"""Provider and the machine's id there."""


def _listed(accounts: Iterable[Account]) -> dict[_Key, tuple[Machine, Account]]:
    """Return each machine once, however many keys of one account have shown it; what is gone is left out."""
    found: dict[_Key, tuple[Machine, Account]] = {}
    for account in accounts:
        for machine in account.machines or ():
            if not machine.state.is_gone:
                found.setdefault((account.provider, machine.id), (machine, account))
    return found


def _owned(
    instances: Sequence[Object], machines: dict[_Key, tuple[Machine, Account]]
) -> dict[str, tuple[_Key, tuple[Machine, Account]]]:
    """Return by uid which machine each resource has: by record first, by name then, by a wish to adopt last."""
    named: dict[str, list[tuple[int, _Key]]] = {}
    for key, (machine, _) in machines.items():
        match = _A_NAME_OF_OURS.fullmatch(machine.name)
        if match is not None:
            named.setdefault(match[2], []).append((int(match[3]), key))
    owned: dict[str, _Key] = {}
    taken: set[_Key] = set()

    def recorded(instance: Object) -> Iterator[_Key]:
        yield text_at(instance, "spec", "provider"), text_at(instance, "status", "instance", "id")

    def bought(instance: Object) -> Iterator[_Key]:
        yield from (key for _, key in sorted(named.get(_uid8(instance), ()), reverse=True))

    def wished(instance: Object) -> Iterator[_Key]:
        yield text_at(instance, "spec", "provider"), text_at(instance, "spec", "adopt", "instanceID")

    for candidates in (recorded, bought, wished):
        for instance in instances:
            free = (it for it in candidates(instance) if it in machines and it not in taken)
            found = None if _uid(instance) in owned else next(free, None)
            if found is not None:
                owned[_uid(instance)] = found
                taken.add(found)
    return {uid: (key, machines[key]) for uid, key in owned.items()}


def _row_of(instance: Object, found: tuple[_Key, tuple[Machine, Account]] | None, accounts: Sequence[Account]) -> Row:
    provider = text_at(instance, "spec", "provider")
    if found is not None:
        machine, account = found[1]
        differing = tuple(differences(instance, machine))
        verdict = Verdict.DIFFERS if differing else Verdict.CONSISTENT
        return Row(provider, verdict, instance, machine, differing, account.secrets)
    read = _was_read(instance, accounts)
    has_one = at(instance, "status", "instance", "id") is not None and at(instance, "status", "terminatedAt") is None
    verdict = (Verdict.MISSING if has_one else Verdict.NO_MACHINE) if read else Verdict.NOT_COMPARED
    return Row(provider, verdict, instance)


def _was_read(instance: Object, accounts: Sequence[Account]) -> bool:
    """True if the account of a resource has answered; one without a Secret of its own uses one that was named."""
    place, provider = "/".join(secret_of(instance)), text_at(instance, "spec", "provider")
    same = [it for it in accounts if it.provider == provider]
    own = [it for it in same if place in it.secrets] or [it for it in same if it.extra]
    return any(it.machines is not None for it in own)


def _row_of_stranger(
    provider: str, machine: Machine, account: Account, objects: dict[str, str], marks: set[str], *, all_seen: bool
) -> Row:
    match, of = _A_NAME_OF_OURS.fullmatch(machine.name), ""
    if match is None:
        verdict = Verdict.FOREIGN
    elif match[2] in objects:
        verdict, of = Verdict.SURPLUS, objects[match[2]]
    elif match[1] not in marks:
        verdict = Verdict.OTHER_CLUSTER
    else:
        verdict = Verdict.WITHOUT_RESOURCE if all_seen else Verdict.RESOURCE_NOT_SEEN
    return Row(provider, verdict, machine=machine, secrets=account.secrets, of=of)


def _marks(instances: Iterable[Object]) -> set[str]:
    """Return the marks by which the operator has named the machines of these resources."""
    found = ((_A_NAME_OF_OURS.fullmatch(text_at(it, "status", "instance", "name")), _uid8(it)) for it in instances)
    return {match[1] for match, uid8 in found if match is not None and match[2] == uid8}


def _uid(instance: Object) -> str:
    return text_at(instance, "metadata", "uid")


def _uid8(instance: Object) -> str:
    return _uid(instance).replace("-", "")[:8]
