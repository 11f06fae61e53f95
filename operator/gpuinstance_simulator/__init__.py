"""A GPU cloud to test against: one pure model of a cloud, and the wire formats of real providers over it.

`cloud` is the world (no await, no sockets, no wall clock); `novita` and `hostwinds` each speak one provider's
HTTP API over it; `faults` lets either go wrong on purpose; `ledger` remembers every change that was
accepted, so that a test can judge what a client really did. `server.serve` runs all of it inside
a test, `python -m gpuinstance_simulator` as a process. Nothing here imports the operator.
"""
