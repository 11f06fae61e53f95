"""`kubectl gpu`: instances and upgrades for the people who use them, with their own rights in the cluster.

A kubectl plugin and nothing more: it asks the API server what the operator wrote, and changes what its user could
change by hand; only the inventory asks providers, and only what they list. `command` reads the arguments,
`commands/` holds one room for each command, `cluster` asks, and the rooms beside them know how one thing is judged
or shown: they are pure, but for the screen that they print on.
"""

from gpuinstance.cli.command import complete_for_kubectl, main

__all__ = ["complete_for_kubectl", "main"]
