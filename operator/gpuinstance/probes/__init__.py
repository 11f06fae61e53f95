"""Health checks: ask a machine's published ports whether they serve, and report facts.

`Prober` asks; `errorpages` knows an error page behind a good status; `failures` names what went wrong.
Nothing here knows what an unhealthy answer leads to: thresholds, deadlines and Ready are the rules' affair.
"""

from gpuinstance.probes.failures import Category
from gpuinstance.probes.prober import Prober

__all__ = ["Category", "Prober"]
