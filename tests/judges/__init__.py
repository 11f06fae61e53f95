"""Everybody who judges one of our objects by its status, brought to one table for each kind: they have to agree."""
