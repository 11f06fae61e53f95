"""The fault campaign: every call of a life goes wrong once, in every way that it can, and nothing is paid twice.

Two tiers share their scenarios, their names of runs and their judge. `virtual` lives thousands of lives in one
process, in virtual time, over the simulator's wire format; `real` kills the real process over a real API server.
`python -m tests.faults` runs both; docs/faults.md says how to read what it prints.
"""
