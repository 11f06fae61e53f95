"""Adapters to the clouds: they execute and report, they never decide."""
