"""All tests, and the programs that they need."""
