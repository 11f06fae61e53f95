"""Names for the ports of a Service, which wants one for each: the spec's where it has one, else made up.

Called by `connection`. Pure. A name also begins keys of the connection Secret, so it must never be two ports'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def names_of_ports(ports: Iterable[tuple[int, str]], given: Mapping[int, str]) -> dict[int, str]:
    """Return a name for each (number, protocol): as given if Kubernetes takes it, else like `http-8000`."""
    numbers = dict(ports)
    names = {number: given[number] for number in numbers if _LABEL.fullmatch(given.get(number, ""))}
    for number, protocol in sorted(numbers.items()):
        name = f"{protocol}-{number}"
        while number not in names:
            if name not in names.values():
                names[number] = name
            name += "-x"
    return names
