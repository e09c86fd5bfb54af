"""Links and names of files in the documents lead to something that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlparse

import pytest
from documents import REPOSITORY, name_of

# Another project's file, and one that the reader writes.
OTHERS = {"docs/experiments-msmarco-passage.md", "src/headrank/methods/entries/last_heads.py"}
PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "config" / "README.md"]
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Files named in code style; a name with a placeholder or a pattern is none.
_NAMED = re.compile(
    r"`((?:docs|config|src|tests|workflow|profiles|envs|\.github)/[\w./{},*-]+|[A-Z]+\.md|headrank/[\w/]+\.py)`"
)
_HEADING = re.compile(r"#{1,6} +(.+?)\s*$")


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page without its code blocks."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside and not re.match(r"    \S", line):
            yield number, line


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as both the site and the code's host spell them."""
    found: set[str] = set()
    for _, line in prose(path):
        if heading := _HEADING.match(line):
            slug = re.sub(r"[^\w\s-]", "", heading[1].replace("`", "").lower()).strip()
            found.add(re.sub(r"\s+", "-", slug))
    return found


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_pages_and_headings_that_are_there(path: Path) -> None:
    wrong = []
    for number, line in prose(path):
        for target in _LINK.findall(line):
            if urlparse(target).scheme:
                assert target.startswith("https://"), target
                continue
            file, _, anchor = target.partition("#")
            place = (path.parent / file).resolve() if file else path
            if not place.exists() or (anchor and anchor not in anchors(place)):
                wrong.append(f"{name_of(path)}:{number}: {target}")
    assert wrong == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_are_named_are_there(path: Path) -> None:
    wrong = []
    for number, line in prose(path):
        for name in _NAMED.findall(line):
            for one in alternatives(name):
                places = (REPOSITORY, REPOSITORY / "src", REPOSITORY / "src" / "headrank")
                if one not in OTHERS and not any(list(place.glob(one)) for place in places):
                    wrong.append(f"{name_of(path)}:{number}: {one}")
    assert wrong == []


def alternatives(name: str) -> list[str]:
    """``a.{b,c}`` as ``a.b`` and ``a.c``."""
    found = re.match(r"(.*)\{([^{}]*)\}(.*)", name)
    return [found[1] + part + found[3] for part in found[2].split(",")] if found else [name]


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    text = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (REPOSITORY / "docs").rglob("*.md"):
        assert f": {page.relative_to(REPOSITORY / 'docs').as_posix()}\n" in text, page.name
