"""The whole stack as separate processes: control plane, simulated provider, operator."""
