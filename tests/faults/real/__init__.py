"""The tier on the real API server: the real process, killed with SIGKILL at the calls that a run names."""
