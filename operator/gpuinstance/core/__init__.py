"""Every rule about what to do next. Pure: no await, clock, randomness, logging or environment."""
