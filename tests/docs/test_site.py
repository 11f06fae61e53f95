"""The documentation site is whole: it builds without a warning, its links lead somewhere, and it loads nothing else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from docs import site_sources
from docs.site_sources import BadLink, build, lay_out, pages
from tests.docs.html import Page, read
from tests.rig.stack import ROOT

CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
_NOT_THE_PAGES = {"404.html"}
"""Served for addresses of any depth, so that its links begin at the root of the server."""


@pytest.fixture(scope="session")
def built(site: Path) -> dict[Path, Page]:
    """All pages, by their files."""
    return {path: read(path) for path in site.rglob("*.html") if path.name not in _NOT_THE_PAGES}


def test_every_page_is_built(built: dict[Path, Page], site: Path) -> None:
    """Each page of the repository is in the site."""
    wanted = {site / Path(place).with_suffix(".html") for _, place in pages()}
    assert wanted - set(built) == set()


def test_every_page_has_its_place_in_the_navigation() -> None:
    """Nobody has to guess an address; of the runbooks, the list of alerts leads to each."""
    named = set(_leaves(CONFIG["nav"]))
    assert {place for _, place in pages() if not re.fullmatch(r"runbooks/(?!index).*", place)} == named


def _leaves(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for child in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        yield from _leaves(child)


def test_links_inside_lead_to_pages_and_anchors_that_exist(built: dict[Path, Page]) -> None:
    """Also those that the theme, the navigation and the tables of contents make."""
    lost = [
        f"{path.name}: {link}"
        for path, page in built.items()
        for link in page.links
        if not _is_elsewhere(link) and not _leads_somewhere(path, link, built)
    ]
    assert lost == []


def _is_elsewhere(link: str) -> bool:
    return bool(urlsplit(link).scheme)


def _leads_somewhere(path: Path, link: str, built: dict[Path, Page]) -> bool:
    target, anchor = urlsplit(link).path, unquote(urlsplit(link).fragment)
    there = (path.parent / unquote(target)).resolve() if target else path
    there = there / "index.html" if there.is_dir() else there
    if there not in built:
        return there.is_file() and not anchor
    return not anchor or anchor in built[there].anchors


def test_links_to_elsewhere_are_well_formed(built: dict[Path, Page]) -> None:
    """They are not followed: by https, to a host, and without a stray blank or bracket."""
    elsewhere = {link for page in built.values() for link in page.links if _is_elsewhere(link)}
    bad = [it for it in elsewhere if not re.fullmatch(r"https://[\w.-]+\.[a-z]{2,}(/[\w./#?=&%@:~+-]*)?", it)]
    assert bad == []


def test_nothing_is_loaded_from_elsewhere(built: dict[Path, Page], site: Path) -> None:
    """A page can be read without a network: no font, script or picture of another host."""
    foreign = {it for page in built.values() for it in page.loads if _is_elsewhere(it) or it.startswith("//")}
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert foreign == set()
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*", styles) == []


def test_lists_and_tables_are_seen_as_such(site: Path) -> None:
    """Nothing that looks like a list or a table in the source is shown as plain text."""
    shown = {path.relative_to(site): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    plain = re.compile(r"<p>(?:(?!</p>).)*?\n(?:[-*] |\d+\. |\|)[^\n]*", re.DOTALL)
    assert [(str(path), it) for path, text in shown.items() for it in plain.findall(text)] == []


@pytest.mark.parametrize("link", ["nowhere.md", "../deploy/nothing.yaml", "../../elsewhere.md"])
def test_a_link_to_nothing_is_refused(link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found before the site is built, and named with its page."""
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text(f"# Page\n\nSee `[x](code.md)` and [there]({link}).\n")
    monkeypatch.setattr(site_sources, "ROOT", tmp_path)
    monkeypatch.setattr(site_sources, "pages", lambda: iter([(page, "page.md")]))
    with pytest.raises(BadLink, match=r"^docs/page\.md links to "):
        lay_out(tmp_path / "target")


def test_an_anchor_to_nothing_is_a_warning_and_fails_the_build(tmp_path: Path) -> None:
    """What the check of links does not look at, the strict build does."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text("# Page\n\n[there](index.md#nowhere)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: one page\ndocs_dir: pages\nsite_dir: site\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        build(tmp_path)
    assert "anchor does not exist" in caught.value.stdout + caught.value.stderr


def test_what_a_page_links_to_is_shown(site: Path) -> None:
    """Manifests and scripts, and all of a folder, are pages of the site, word for word."""
    script = (site / "files/deploy/argocd/health.lua.html").read_text(encoding="utf-8")
    assert "ActionRequired" in script
    examples = (site / "files/deploy/examples.html").read_text(encoding="utf-8")
    for path in (ROOT / "deploy/examples").rglob("*.yaml"):
        assert str(path.relative_to(ROOT)) in examples
