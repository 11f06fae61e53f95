"""Benchmarks: `make bench` prints what was measured beside the limits; it is no test and fails on nothing."""
