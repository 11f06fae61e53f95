"""From the settings to a candidate: under which Lease this process stands, and as whom.

Called by the composition root. In a pod the Lease is in the pod's own namespace. Outside of one there is no
election unless a setting names a namespace: whoever starts the process by hand starts one. With shards there is one
Lease for each.
"""

from __future__ import annotations

import socket
import uuid

import structlog

from gpuinstance.config import Settings
from gpuinstance.kube import KubeError, connect
from gpuinstance.leading.election import Election, Times, boot_time
from gpuinstance.leading.leadership import Alone, Leadership
from gpuinstance.leading.lease import LeaseStore, own_namespace
from gpuinstance.leading.rivals import Rivals
from gpuinstance.leading.shard import Shard

_log = structlog.get_logger(__name__)


async def candidate(settings: Settings) -> Leadership:
    """Return what decides whether this process may act, and on what.

    Raises KubeError if the API server cannot be used, or if there are shards and no place for their Leases.
    """
    namespace = settings.lease_namespace or own_namespace()
    division = settings.division
    if division.count > 1 and (not settings.leader_election or namespace is None):
        raise KubeError("shards need their Leases: this is no pod, so set GPUINSTANCE_LEASE_NAMESPACE")
    if not settings.leader_election or namespace is None:
        _log.info("no leader election: nobody else may run beside this process")
        return Alone()
    times = Times(settings.lease_seconds, settings.lease_deadline_seconds, settings.lease_retry_seconds)
    # Unique for each process: a pod that is lost and made again under its name must not take itself for the other.
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    family = settings.lease_name
    store = LeaseStore(await connect(), namespace, division.lease_name(family), family)
    election, rivals = Election(store, identity, times), Rivals(family, division, lease=times.lease, gap=times.gap)
    return Shard(election, store, rivals, division, times, clock=boot_time)
