"""The page in a browser: drawn without an error or a request, and operated by its controls and by the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser, find_chromium
from pages import made_up_data

from headrank.explain.page import write_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not find_chromium(), reason="no Chromium is installed (or named in HEADRANK_CHROMIUM)"
    ),
]
# WCAG's contrast of every shaded word with its own background, over the page's.
CONTRAST = """(() => {
  const numbers = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const paper = numbers(getComputedStyle(document.documentElement).backgroundColor);
  const found = [...document.querySelectorAll(".word, .facts, .most, .unread, .about, summary, th")].map((node) => {
    const style = getComputedStyle(node);
    const [r, g, b, a = 1] = numbers(style.backgroundColor);
    const under = [r, g, b].map((c, i) => c * a + paper[i] * (1 - a));
    const [x, y] = [light(numbers(style.color).slice(0, 3)), light(under)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  });
  return Math.min(...found);
})()"""
SHADES = "[...document.querySelectorAll('.word')].map((word) => word.style.getPropertyValue('--w'))"


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return made_up_data()


@pytest.fixture(scope="module")
def chromium(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(path, data)
    with browser() as found:
        found.page = path  # type: ignore[attr-defined]
        yield found


@pytest.fixture
def page(chromium: Browser) -> Browser:
    chromium.size(1000, 900)
    chromium.media()
    chromium.open(chromium.page)  # type: ignore[attr-defined]
    return chromium


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("\u202f", ""))


def test_it_is_drawn_without_an_error_or_a_request(page: Browser, data: dict[str, Any]) -> None:
    words = sum(len(passage["words"]) for passage in data["passages"])
    assert page.run("document.querySelectorAll('#passages .word').length") == words
    assert page.run("window.broken") is None
    assert page.run("document.images.length + document.scripts.length") == 2
    texts = page.run("[...document.querySelectorAll('.text')].map((node) => node.textContent)")
    for passage, text in zip(data["passages"], texts, strict=True):
        assert text == "".join(before + word for before, word, _ in passage["words"])
    assert not page.told("Runtime.exceptionThrown")
    assert not page.told("Runtime.consoleAPICalled")
    assert not page.told("Log.entryAdded")
    asked = [event["request"]["url"] for event in page.told("Network.requestWillBeSent")]
    assert asked == [page.run("location.href")]


def test_its_policy_stops_what_a_script_would_fetch(page: Browser) -> None:
    tried = """new Promise((done) => {
      const stopped = [];
      document.addEventListener("securitypolicyviolation", (event) => {
        stopped.push(event.effectiveDirective);
        if (stopped.length === 3) done(stopped.sort());
      });
      fetch("https://example.org/x").catch(() => {});
      document.body.append(Object.assign(new Image(), { src: "https://example.org/y.png" }));
      document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = 1" }));
    })"""
    assert page.run(tried) == ["connect-src", "img-src", "script-src-elem"]
    assert page.run("window.ran") is None


def test_the_head_picker_changes_shades_and_sums(page: Browser, data: dict[str, Any]) -> None:
    before = page.run(SHADES)
    assert page.run("document.querySelectorAll('.chosen').length") == 0
    page.run("document.querySelectorAll('input[name=head]')[1].click()")
    assert page.run(SHADES) != before
    after = data["states"][1]["passages"]
    shown = page.run("[...document.querySelectorAll('.chosen')].map((node) => node.textContent)")
    expected = [own["additions"][0] + own["additions"][2] for own in after]
    assert [number(text) for text in shown] == pytest.approx(expected, rel=1e-3)
    # The table's last row is the sum of what is picked; words and rest make up the sum.
    foot = page.run(
        "[...document.querySelectorAll('tfoot tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    for row, own in zip(foot, after, strict=True):
        words, rest, total = map(number, row[1:4])
        assert row[0] == "these"
        assert total == pytest.approx(own["values"][0] + own["values"][2], rel=1e-3)
        assert words + rest == pytest.approx(total, rel=2e-3, abs=1e-9)
    page.run("[...document.querySelectorAll('.heads button')][1].click()")
    assert set(page.run(SHADES)) == {"0.000"}
    assert page.run("document.getElementById('legend').textContent") == "no head is chosen"
    page.run("[...document.querySelectorAll('.heads button')][0].click()")
    assert page.run(SHADES) == before


def test_models_kinds_and_orders_can_be_exchanged(page: Browser, data: dict[str, Any]) -> None:
    first = page.run(SHADES)
    page.run("document.querySelector('input[name=state]').click()")
    assert page.run(SHADES) != first
    page.run("document.querySelector('input[value=null]').click()")
    assert "N/A" in page.run("document.getElementById('legend').textContent")
    page.run("document.querySelector('input[value=rank]').click()")
    order = page.run("[...document.querySelectorAll('.passage')].map((node) => Number(node.dataset.p))")
    ranks = [data["states"][0]["passages"][p]["rank"] for p in order]
    assert ranks == list(range(1, len(ranks) + 1))
    facts = page.run("document.querySelector('#passages .facts').textContent")
    now = data["states"][1]["passages"][order[0]]["rank"]
    assert f"before training 1, after {now}" in facts
    page.run("document.getElementById('numbers').click()")
    assert page.run("document.querySelectorAll('.word[data-n]').length") > 40


def test_where_logarithms_are_added_the_page_says_so(page: Browser, tmp_path: Path) -> None:
    data = made_up_data(9, words=12, logarithm=True)
    write_page(tmp_path / "logarithms.html", data)
    page.open(tmp_path / "logarithms.html")
    assert "shares" in page.run("document.getElementById('legend').textContent")
    page.run("document.querySelector('input[name=head]').click()")
    last = "[...document.querySelectorAll('#passages tfoot tr')].map((row) => row.cells[4].textContent)"
    shown = page.run("[...document.querySelectorAll('.chosen')].map((node) => node.textContent)")
    expected = [sum(own["additions"][1:]) for own in data["states"][1]["passages"]]
    assert [number(text) for text in shown] == pytest.approx(expected, rel=1e-3)
    assert page.run(last) == shown
    assert not page.told("Log.entryAdded")


def test_the_keyboard_reaches_everything(page: Browser) -> None:
    where = "[document.activeElement.name || document.activeElement.className, document.activeElement.value || '']"
    seen = []
    for _ in range(12):
        page.press("Tab")
        seen.append(page.run(where))
    assert seen[:9] == [
        ["skip", ""],
        ["state", "1"],
        ["kind", "weight"],
        ["order", "prompt"],
        # It has no name.
        ["", "on"],
        ["head", "6-1"],
        ["head", "4-2"],
        ["head", "9-3"],
        ["", ""],
    ]
    assert seen[10][0] == "passage"
    # One stop for all passages, and the table of the current one.
    assert page.run("document.activeElement.tagName") == "SUMMARY"
    page.press("Tab")
    assert page.run("document.activeElement.closest('.passage')") is None
    page.run("document.querySelector('.passage').focus()")
    place = "document.activeElement.closest('.passage').dataset.p + ' ' + document.activeElement.dataset.w"
    for keys, expected in (
        (["ArrowDown"], "1 undefined"),
        (["ArrowRight"], "1 0"),
        (["ArrowRight", "ArrowRight"], "1 2"),
        (["ArrowLeft"], "1 1"),
    ):
        page.press(*keys)
        assert page.run(place) == expected
    told = page.run("document.getElementById('detail').textContent")
    assert "weight " in told
    assert "By head: " in told
    assert "under “N/A”" in told
    page.press("End", "ArrowUp")
    assert page.run(place) == "0 undefined"
    page.press("Enter", "Escape")
    assert page.run(place) == "0 undefined"
    assert page.run("document.getElementById('detail').textContent") == ""
    page.press("End")
    assert page.run(place) == "39 undefined"
    # A picker is a real checkbox: the space bar switches it.
    page.run("document.querySelector('input[name=head]').focus()")
    page.press(" ")
    assert page.run("document.querySelector('input[name=head]').checked") is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_its_shade(page: Browser, scheme: str) -> None:
    page.media(scheme)
    assert page.run("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    darkest = page.run(
        "Math.max(...[...document.querySelectorAll('.word')].map((w) => w.style.getPropertyValue('--w')))"
    )
    assert darkest == 1
    assert page.run(CONTRAST) >= 4.5


def test_nothing_is_wider_than_a_small_screen(page: Browser) -> None:
    page.size(360, 640)
    page.run("document.getElementById('numbers').click()")
    assert page.run("document.documentElement.scrollWidth") <= 360
    page.run("document.querySelectorAll('.word')[3].focus()")
    assert page.run("document.getElementById('detail').getBoundingClientRect().bottom") <= 640


def test_on_paper_the_passages_stay_and_the_controls_do_not(page: Browser) -> None:
    page.media("dark", "print")
    shown = "(name) => getComputedStyle(document.querySelector(name)).display !== 'none'"
    assert [page.run(f"({shown})('{name}')") for name in (".controls", ".keys", "#printed", ".text")] == [
        False,
        False,
        True,
        True,
    ]
    # A user who prefers dark pages has white paper too, and the strongest words are underlined.
    assert page.run("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.run("getComputedStyle(document.querySelector('.word.lit')).textDecorationLine") == "underline"
    assert page.run(CONTRAST) >= 4.5
    assert page.paper().startswith(b"%PDF")
