"""Builds the documentation site: `make docs`, into build/site.

The pages are written to be read in the repository, where README.md is beside docs/ and a link may lead to a manifest
or to a script. So they are laid out first as a site wants them: README.md becomes the quickstart, whatever a page
links to outside of docs/ becomes a page that shows it, and links are written anew. Then Zensical builds, strictly:
a warning, as about a link or an anchor that leads nowhere, fails. Nothing is fetched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "mkdocs.yml"
STYLE = ROOT / "docs" / "site.css"
_RENAMED = {"README.md": "quickstart.md", "CONTRIBUTING.md": "development.md", "CHANGELOG.md": "changes.md"}
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
_NOT_A_FILE = re.compile(r"[a-z]+:|#")
_LANGUAGES = {".yaml": "yaml", ".lua": "lua", ".json": "json"}
_SECONDS = 300


class BadLink(Exception):
    """A page links to what is not in the repository."""


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page of the repository and where the site has it, below its pages."""
    for name, place in _RENAMED.items():
        yield ROOT / name, place
    for source in sorted((ROOT / "docs").rglob("*.md")):
        path = source.relative_to(ROOT / "docs")
        yield source, str(path.with_name("index.md") if path.name == "README.md" else path)


def lay_out(target: Path) -> int:
    """Write pages and configuration of the site into an empty folder; return the number of pages. Raises BadLink."""
    places = dict(pages())
    shown: dict[Path, str] = {}
    for source, place in places.items():
        _write(target / "pages" / place, _at_home(source, place, places, shown))
    for source, place in shown.items():
        _write(target / "pages" / place, _shown(source))
    shutil.copy(CONFIG, target / CONFIG.name)
    shutil.copy(STYLE, target / "pages" / STYLE.name)
    return len(places) + len(shown)


def _at_home(source: Path, place: str, places: Mapping[Path, str], shown: dict[Path, str]) -> str:
    """Return a page with its links as the site needs them; note in `shown` what has to be shown for that."""

    def replaced(match: re.Match[str]) -> str:
        if _NOT_A_FILE.match(match[1]):
            return match[1]
        path, hash_, anchor = match[1].partition("#")
        wanted = (source.parent / path).resolve()
        if not wanted.is_relative_to(ROOT) or not wanted.exists():
            raise BadLink(f"{source.relative_to(ROOT)} links to {match[1]}, which does not exist")
        there = places.get(wanted) or shown.setdefault(wanted, f"files/{wanted.relative_to(ROOT)}.md")
        return os.path.relpath(there, Path(place).parent) + hash_ + anchor

    parts = _CODE.split(source.read_text(encoding="utf-8"))
    return "".join(part if part.startswith("`") else _TARGET.sub(replaced, part) for part in parts)


def _shown(source: Path) -> str:
    """Return the page that shows a file, or all files of a folder, of the repository."""
    files = sorted(it for it in source.rglob("*") if it.is_file()) if source.is_dir() else [source]
    title = f"# {source.relative_to(ROOT)}\n"
    return title + "".join(_listing(it, headed=source.is_dir()) for it in files)


def _listing(file: Path, *, headed: bool) -> str:
    heading = f"\n## {file.relative_to(ROOT)}\n" if headed else ""
    return f"{heading}\n````{_LANGUAGES.get(file.suffix, 'text')}\n{file.read_text(encoding='utf-8')}````\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def build(target: Path) -> str:
    """Build the site of a folder that was laid out, into its folder `site`; return what the builder says.

    Raises subprocess.CalledProcessError with its output for a warning.
    """
    command = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--strict",
        "--clean",
        "--config-file",
        str(target / CONFIG.name),
    ]
    done = subprocess.run(  # noqa: S603 - the builder of the lock, with a path of our own
        command,
        cwd=target,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    return done.stdout + done.stderr


def main() -> int:
    """Lay the site out below build/ and build it; say what is going on. Returns the exit code."""
    target = ROOT / "build" / "docs"
    shutil.rmtree(target, ignore_errors=True)
    try:
        print(f"docs: {lay_out(target)} pages laid out, building")
        build(target)
    except BadLink as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"docs: the site has warnings\n{error.stdout}{error.stderr}", file=sys.stderr)
        return 1
    site = ROOT / "build" / "site"
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(target / "site", site)
    print(f"docs: open {(site / 'index.html').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
