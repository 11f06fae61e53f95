"""One module for each command of `kubectl gpu`, or for a family of them: its arguments, and what it prints.

Each ends in COMMAND or COMMANDS, which `gpuinstance.cli.command` lists. A module here knows its own helpers and no
other command.
"""
