"""What an installed package knows of its authors is what CITATION.cff says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from headrank.export import citation
from headrank.export.citation_file import KNOWN, Author, read_citation

FILE = Path(__file__).parents[3] / "CITATION.cff"


def test_the_package_knows_what_the_citation_file_says() -> None:
    assert read_citation(FILE) == KNOWN
    paper = yaml.safe_load(FILE.read_text(encoding="utf-8"))["preferred-citation"]
    assert paper["title"] == citation.PAPER_TITLE
    assert paper["year"] == citation.PAPER_YEAR
    assert paper["url"].endswith(citation.PAPER)
    assert [(a["given-names"], a["family-names"]) for a in paper["authors"]] == list(citation.PAPER_AUTHORS)


def test_the_file_in_the_working_directory_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_citation(None) == KNOWN
    people = "{family-names: Oak, given-names: Ann, orcid: https://orcid.org/0000-0002-1825-0097}"
    (tmp_path / "CITATION.cff").write_text(
        f"title: Mine\nlicense: MIT\nauthors: [{people}]\n", encoding="utf-8"
    )
    found = read_citation(None)
    assert found.authors == (Author("Ann Oak", "Oak", "Ann", "https://orcid.org/0000-0002-1825-0097"),)
    assert (found.title, found.licence, found.address) == ("Mine", "MIT", "")
