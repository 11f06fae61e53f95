"""The one guarded way out to addresses that somebody else names.

Whoever may choose an address could otherwise make the operator, which sits inside the cluster's network,
speak to a metadata service, the API server or a neighbour. `addresses` judges, `dialling` resolves once and
connects to what was judged, `transport` is the same for httpx. Nothing here knows of health or of status.
"""

from gpuinstance.guard.addresses import Network, TargetNotAllowed, require_plain_url
from gpuinstance.guard.dialling import Guard, NameNotResolved, on_behalf_of
from gpuinstance.guard.transport import GuardedTransport

__all__ = [
    "Guard",
    "GuardedTransport",
    "NameNotResolved",
    "Network",
    "TargetNotAllowed",
    "on_behalf_of",
    "require_plain_url",
]
