"""Who may act, and on what: one of several replicas, elected by a Lease, or one for each shard of the objects.

Called by the composition root. `candidate` says under which Lease this process stands. `lead` stands by, works while
the Lease is held, and gives it back. `Leadership.holds_now` is the fence: asked again right before whatever one
process only may do. `Leadership.owns` says which objects are this leader's: `election` is about one Lease, `rivals`
about those of the other shards, `shard` joins them.

Why an elector of our own: the one in `kubernetes.aio` ends with the first broken connection, lets a request
that hangs outlast its deadline, measures leases with the wall clock, stamps local time as UTC, waits without
jitter, releases nothing when it ends, and cannot be asked whether it still leads. For a process that spends
money each of these is a second leader, or none.
"""

from gpuinstance.leading.candidacy import candidate
from gpuinstance.leading.leadership import Leadership
from gpuinstance.leading.term import lead

__all__ = ["Leadership", "candidate", "lead"]
