"""The operator as a user meets it: real API server, real kubectl, each program a process of its own."""
