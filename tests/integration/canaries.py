"""Secrets that are easy to recognise, in every form in which they could come to light, and a nose for them.

Each begins with twelve characters that occur nowhere else, and holds characters that JSON, URLs and shells write
differently. Knows nothing about who might leak them.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

NOVITA_KEY = "nOvItA-cAnArY/k3y+7Q==&x%41~end"
HOSTWINDS_KEY = "hOsTwInD-cAnArY/k3y+with=odd&chars%2F~end"
TOKEN = 'tOkEn-cAnArY "quoted" \\back/slash+plus & ümläut end'
FILE = "fIlE-cAnArY-of-line-one/AAAA+BBBB\nsEcOnDlInE-cAnArY-CCCC/DDDD+EEEE\ntHiRdLiNe-cAnArY==\n"
HEADER = "hEaDeR-cAnArY/Bearer.tok+en=="
ROOT_PASSWORD = "canary-root-password"
"""What the simulated Hostwinds shows as root password in every answer about a server."""
REGISTRY_PASSWORD = "simulated-registry-password"
"""What the simulated Novita shows in the list of registry credentials."""

CANARIES: Mapping[str, str] = {
    "the API key of Novita": NOVITA_KEY,
    "the API key of Hostwinds": HOSTWINDS_KEY,
    "a variable from a Secret": TOKEN,
    **{f"line {number} of a variable": line for number, line in enumerate(FILE.split(), start=1)},
    "a header from a Secret": HEADER,
    "a root password": ROOT_PASSWORD,
    "a registry password": REGISTRY_PASSWORD,
}

SAYINGS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda value: f"you sent {value}",
    "json": lambda value: f"bad request: {json.dumps({'value': value})}",
    "cut": lambda value: f"you sent {value[:20]}",
    "url": lambda value: f"see /create?value={quote(value, safe='')}",
    "form": lambda value: f"value={quote_plus(value)}&page=1",
    "base64": lambda value: f"header {b64encode(value.encode()).decode()}",
    "basic": lambda value: f"header Basic {b64encode(f'user:{value}'.encode()).decode()}",
}
"""How a careless provider or application repeats what it was given."""

_HEAD = 12
"""So many characters of a secret are as bad as all of it."""


def leaks(told: Mapping[str, str]) -> list[str]:
    """Return which canary is in which of the texts, and in which form; `told` are texts by where they are from."""
    found = []
    for source, text in told.items():
        for name, value in CANARIES.items():
            hits = [form for form in sorted(_forms(value)) if form[:_HEAD] in text]
            found += [f"{source}: {name} as {form!r}: {_around(text, form[:_HEAD])!r}" for form in hits[:1]]
    return found


def _around(text: str, form: str) -> str:
    at = text.index(form)
    return text[max(0, at - 100) : at + 60]


def _forms(value: str) -> set[str]:
    raw = value.encode()
    texts = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    urls = {quote(value, safe=""), quote(value), quote_plus(value)}
    urls |= {re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), url) for url in urls}
    encoded = set()
    for before in range(3):  # base64 of whatever ends so many bytes into a group, and then our value
        skipped = (0, 2, 3)[before]
        encoded |= {encode(b"\0" * before + raw).decode()[skipped:] for encode in (b64encode, urlsafe_b64encode)}
    return texts | urls | encoded
