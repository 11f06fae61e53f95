"""What a built page links to, loads and can be linked to, read from its HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
_LOADED_LINKS = frozenset({"stylesheet", "icon", "preload", "preconnect", "modulepreload"})


@dataclass
class Page:
    """One page."""

    path: Path
    links: list[str] = field(default_factory=list)
    """Where its links lead, as written."""
    loads: list[str] = field(default_factory=list)
    """What a browser fetches to show it."""
    anchors: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._page.anchors |= {given[it] for it in ("id", "name") if it in given}
        if tag == "a" and "href" in given:
            self._page.links.append(given["href"])
        if tag == "link" and _LOADED_LINKS & set(given.get("rel", "").split()):
            self._page.loads.append(given.get("href", ""))
        if _LOADING.get(tag, "") in given:
            self._page.loads.append(given[_LOADING[tag]])


def read(path: Path) -> Page:
    """Return what is in a page."""
    page = Page(path)
    _Reader(page).feed(path.read_text(encoding="utf-8"))
    return page
