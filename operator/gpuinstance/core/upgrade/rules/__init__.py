"""The rules about upgrades, a room for each part of the saga; their order is in `core.upgrade.decide`."""
