"""The tier in virtual time: the real operator, adapter included, over the simulator's wire format, in one process."""
