"""``CITATION.cff`` names every paper that a method is taken from, in the form that the format asks for."""

from __future__ import annotations

import re

import yaml
from documents import REPOSITORY

SOURCES = sorted((REPOSITORY / "src/headrank/methods").rglob("*.py"))


def test_the_papers_of_all_methods_are_named() -> None:
    named = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    papers = [named["preferred-citation"], *named["references"]]
    urls = [paper["url"] for paper in papers]
    assert len(set(urls)) == len(urls)
    told = {
        number
        for file in SOURCES
        for number in re.findall(r"\b2\d{3}\.\d{5}\b", file.read_text(encoding="utf-8"))
    }
    assert len(told) >= 12
    assert {f"https://arxiv.org/abs/{number}" for number in told} == set(urls)
    for paper in papers:
        assert paper["type"] == "generic"
        assert paper["title"]
        assert all(set(author) == {"given-names", "family-names"} for author in paper["authors"])
        # A preprint's number begins with the year and month of its first version.
        assert paper["year"] == 2000 + int(paper["url"].rpartition("/")[2][:2])
