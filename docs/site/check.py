"""Check a built site: links and anchors lead somewhere, and no page fetches from elsewhere: check.py build/docs"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

# What a browser fetches when it shows a page; links are followed only when somebody presses them.
FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("audio", "src"),
}
# Kinds of <link> that are fetched.
RELATIONS = {
    "stylesheet",
    "icon",
    "preload",
    "modulepreload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "manifest",
}
_IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """The anchors of a page, its links, and what it fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        self.fetched += [told[name] for kind, name in FETCHED if kind == tag and told.get(name)]
        if tag == "link" and RELATIONS & set(told.get("rel", "").split()):
            self.fetched.append(told.get("href", ""))
        if tag == "a" and "href" in told:
            self.links.append(told["href"])


@cache
def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def faults(site: Path) -> Iterator[str]:
    """One line for each link that leads nowhere and for each thing that is fetched from elsewhere."""
    for path in sorted(site.rglob("*.html")):
        here = path.relative_to(site)
        for target in page(path).fetched:
            if is_elsewhere(target):
                yield f"{here}: fetches {target}"
            elif not place_of(site, path, target)[0].exists():
                yield f"{here}: {target} is not there"
        # The page for addresses that are not there has links from the site's root.
        for target in page(path).links if path.name != "404.html" else ():
            if is_elsewhere(target) or target.startswith(("mailto:", "data:", "javascript:")):
                continue
            place, anchor = place_of(site, path, target)
            if not place.exists():
                yield f"{here}: {target} leads nowhere"
            elif anchor and place.suffix == ".html" and anchor not in page(place).anchors:
                yield f"{here}: {target}: no such heading"
    for path in sorted(site.rglob("*.css")):
        for found in _IN_STYLE.findall(path.read_text(encoding="utf-8")):
            if is_elsewhere("".join(found)):
                yield f"{path.relative_to(site)}: fetches {''.join(found)}"


def is_elsewhere(target: str) -> bool:
    return bool(urlsplit(target).netloc)


def place_of(site: Path, page: Path, target: str) -> tuple[Path, str]:
    """The file that a link leads to, and the anchor in it."""
    file, anchor = urldefrag(target)
    file = unquote(file).split("?")[0]
    place = (site / file.lstrip("/") if file.startswith("/") else page.parent / file) if file else page
    return place / "index.html" if place.is_dir() else place, unquote(anchor)


def main(site: Path) -> int:
    found = list(faults(site))
    for line in found:
        print(line)
    count = len(list(site.rglob("*.html")))
    if not count:
        print(f"error: {site}: no pages", file=sys.stderr)
        return 4
    print(f"{site}: {count} pages, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
