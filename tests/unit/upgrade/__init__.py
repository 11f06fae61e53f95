"""The saga of an InstanceUpgrade, rule by rule."""
