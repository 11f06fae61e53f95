"""How much of a provider one account may ask for, and when: budget, lanes, pauses and the circuit breaker."""
