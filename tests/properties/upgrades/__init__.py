"""A world in virtual time for upgrades: a modelled provider that sells them, a cluster of two kinds, an operator."""
