"""The page as a file: safe whatever passages hold, whole sums, and nothing that could be fetched."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from pages import HOSTILE, made_up, made_up_data

from headrank.explain.page import embedded, page_html, write_page
from headrank.explain.page_data import STEPS, UNREAD, State, Told, page_data


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.data: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.data.setdefault(self.tags[-1] if self.tags else "", []).append(data)


def read(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    return found


def test_passages_are_data_and_never_html() -> None:
    hostile, harmless = read(page_html(made_up_data())), read(page_html(made_up_data(2)))
    assert hostile.tags == harmless.tags
    assert hostile.tags.count("script") == 2
    page = page_html(made_up_data())
    assert page.isascii()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", page)
    # In the title too.
    assert "".join(hostile.data["title"]).startswith("Why is the sky </title> blue?")


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800", "</SCRIPT", "\u2028"])
def test_what_is_embedded_comes_back_and_cannot_end_the_element(text: str) -> None:
    written = embedded({"text": text})
    assert json.loads(written) == {"text": text}
    assert not set("<>&") & set(written)


def test_the_policy_forbids_every_request_and_names_the_page_s_own_script() -> None:
    page = page_html(made_up_data(2))
    policy = dict(read(page).attributes)["content"]
    metas = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
    assert len(metas) == 1
    assert policy is not None
    directives = dict(part.split(" ", 1) for part in metas[0].split("; "))
    assert directives.keys() == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", directives["script-src"])
    # Nothing names anything outside the file.
    names = {name for name, _ in read(page).attributes}
    assert not names & {"src", "srcset", "action", "data", "poster", "style"}
    assert [value for name, value in read(page).attributes if name == "href"] == ["#passages"]
    assert not re.search(r"url\(|@import|https?:|fetch\(|XMLHttpRequest|import\(", page.split('id="data"')[0])
    assert page == page_html(made_up_data(2))


@pytest.mark.parametrize("logarithm", [False, True])
def test_the_words_of_the_page_add_up_to_the_scores(logarithm: bool) -> None:
    data = made_up_data(12, logarithm=logarithm)
    columns = len(data["columns"])
    for state in data["states"]:
        for passage, own in zip(data["passages"], state["passages"], strict=True):
            table = np.array(own["weight"]).reshape(len(passage["words"]), columns)
            sums = table.sum(axis=0) * state["scales"]["weight"] + own["rest"]
            # Each number is rounded to a millionth of the largest.
            step = len(passage["words"]) * state["scales"]["weight"]
            np.testing.assert_allclose(sums, own["values"], atol=step / 2)
            added = np.log(own["values"]) if logarithm else np.array(own["values"])
            np.testing.assert_allclose(own["additions"], added)
            assert sum(own["additions"]) == pytest.approx(own["score"])
        assert max(max(map(abs, own["weight"])) for own in state["passages"]) == STEPS


def test_passages_stand_in_prompt_order_with_ranks_and_grades() -> None:
    explanations = made_up(["a b", "c d", "e f"], 0)
    turned = {docid: explanations[docid] for docid in ("d2", "d0", "d1")}
    state = State("", turned, {"d0": 2, "d1": 1, "d2": 3})
    data = page_data(Told("q", None, "m", "b", []), [state], ["d1", "d2", "d0"], {"d1": 0, "d0": 2}, 3)
    assert [passage["id"] for passage in data["passages"]] == ["d0", "d1", "d2"]
    assert [passage["first"] for passage in data["passages"]] == [3, 1, 2]
    assert [passage["grade"] for passage in data["passages"]] == [2, 0, None]
    assert [own["rank"] for own in data["states"][0]["passages"]] == [2, 1, 3]
    assert data["kinds"] == ["weight", "attention", "null"]


def test_what_was_cut_off_is_on_the_page_but_not_without_end() -> None:
    one = made_up(["a b"], 0)["d0"]
    long = type(one)(**{**vars(one), "unread": "y" * (UNREAD + 7)})
    data = page_data(Told("q", None, "m", "b", []), [State("", {"d0": long}, {"d0": 1})], ["d0"])
    assert data["passages"][0]["unread"] == "y" * UNREAD
    assert data["passages"][0]["more"] == 7
    assert not data["judged"]


def test_a_page_of_forty_passages_is_small(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, made_up_data())
    assert path.stat().st_size < 2_000_000
