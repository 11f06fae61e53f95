"""What `spec.connection` asks for, made true in the cluster: a Secret, a Service and its EndpointSlices.

Called by the corridor, at the end of a pass that has nothing else to do. `publisher` makes one round for one
instance, `objects` reads and writes the objects, `places` finds the addresses behind host names. What the objects
should look like is said by `core.connection`; nothing here changes a machine, and no trouble here fails a pass.
"""

from gpuinstance.publishing.objects import Objects
from gpuinstance.publishing.publisher import Publisher

__all__ = ["Objects", "Publisher"]
