"""Benchmarks: `make bench` prints what was measured beside the limits. They are no tests: a missed limit fails nothing.

__main__   the command            run        what every phase needs       phases/   coming up, at rest, changes ...
objects    by kubectl             provider   what the simulator knows     watching  what the API server shows, when
audited    its audit log          scrape     the operator's metrics       usage     CPU and memory, from /proc
profiled   runs the operator      profiles   reads what that has left
numbers    percentiles            table      rows and their limits        report    what is left of a run
machine    where it was measured
"""
