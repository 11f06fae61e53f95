"""The saga of an InstanceUpgrade, as pure as the rules of a GPUInstance: snapshot in, decision out."""
