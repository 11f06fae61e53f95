"""From the settings to a candidate: under which Lease this process stands, and as whom.

Called by the composition root. In a pod the Lease is in the pod's own namespace. Outside of one there is no
election unless a setting names a namespace: whoever starts the process by hand starts one.
"""

from __future__ import annotations

import socket
import uuid

import structlog

from gpuinstance.config import Settings
from gpuinstance.kube import connect
from gpuinstance.leading.election import Election, Times
from gpuinstance.leading.leadership import Alone, Leadership
from gpuinstance.leading.lease import LeaseStore, own_namespace

_log = structlog.get_logger(__name__)


async def candidate(settings: Settings) -> Leadership:
    """Return what decides whether this process may act. Raises KubeError if the API server cannot be used."""
    namespace = settings.lease_namespace or own_namespace()
    if not settings.leader_election or namespace is None:
        _log.info("no leader election: nobody else may run beside this process")
        return Alone()
    times = Times(settings.lease_seconds, settings.lease_deadline_seconds, settings.lease_retry_seconds)
    # Unique for each process: a pod that is lost and made again under its name must not take itself for the other.
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    return Election(LeaseStore(await connect(), namespace, settings.lease_name), identity, times)
