"""What all tests share: the fixtures around the rig."""

pytest_plugins = ["tests.rig.fixtures"]
