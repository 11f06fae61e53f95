"""`python -m tests.controlplane [DIRECTORY]`: a bare control plane that runs until it is interrupted."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

from tests.controlplane.cluster import open_cluster
from tests.controlplane.progress import printer


def main() -> None:
    """Start it, print how to reach it, and wait for Ctrl-C or SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGINT):  # Ctrl-C too: a job in the background is begun without it
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="controlplane-") as scratch:
        directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        try:
            with open_cluster(directory, printer()) as cluster:
                sys.stdout.write(f"export KUBECONFIG={cluster.admin}\n")
                sys.stdout.flush()
                signal.pause()
        except KeyboardInterrupt:
            sys.stdout.write("stopped\n")


if __name__ == "__main__":
    main()
