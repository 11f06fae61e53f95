"""The life of many instances, in the order in which it is measured: each phase is a room with one `measure`."""
