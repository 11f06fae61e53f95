"""What every provider's adapter must do, written once.

A filling derives from `ProviderContract` and says in `hooks` how its cloud is built and spoken to; see
`test_novita`. The suite asks only what `gpuinstance.providers.base` promises; where providers lawfully
differ, their `Capabilities` decide. It judges by the cloud's ledger, which the adapter never sees, whether
a change has happened.
"""

from __future__ import annotations

from tests.contract.catalogue import Catalogue
from tests.contract.changes import Changes
from tests.contract.life import Life
from tests.contract.reads import Reads
from tests.contract.rebuilds import Rebuilds
from tests.contract.refusals import Refusals
from tests.contract.sights import Sights
from tests.contract.upgrades import Upgrades


class ProviderContract(Life, Catalogue, Refusals, Changes, Reads, Sights, Rebuilds, Upgrades):
    """The suite. A filling adds the hooks, and tests of what only its provider has."""
