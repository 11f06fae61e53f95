"""Properties: what must hold for every snapshot, and for every story with crashes in it."""
