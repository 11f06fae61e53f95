"""A whole world in one process and in virtual time: API server, cloud, operator, and what goes wrong."""
