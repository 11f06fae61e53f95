"""Everybody who judges a GPUInstance by its status, brought to one table: they have to agree."""
