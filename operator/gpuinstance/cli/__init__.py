"""`kubectl gpu`: instances and upgrades for the people who use them, read from the cluster with their own rights.

A kubectl plugin and nothing more: it asks the API server what the operator wrote, and never a provider.
`command` reads the arguments, `cluster` asks, `listing` and `why` show, `hints` says what to do; only `abandon`
changes anything.
"""

from gpuinstance.cli.command import main

__all__ = ["main"]
