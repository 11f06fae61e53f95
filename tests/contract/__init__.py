"""One suite for all providers: the real adapter, over real sockets, against a simulated cloud."""
