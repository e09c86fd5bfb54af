"""The check of the built site finds links that lead nowhere and what is fetched from elsewhere."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from documents import REPOSITORY

GOOD = '<h1 id="top">x</h1><a href="b.html#here">b</a><a href="https://example.org">out</a><img src="i.png">'


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_check", REPOSITORY / "docs" / "site" / "check.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def site(folder: Path, text: str, style: str = "") -> Path:
    (folder / "a.html").write_text(text, encoding="utf-8")
    (folder / "b.html").write_text('<h2 id="here">b</h2><a href="a.html#top">a</a>', encoding="utf-8")
    (folder / "i.png").touch()
    (folder / "s.css").write_text(style, encoding="utf-8")
    return folder


def test_a_sound_site_has_no_faults(check: ModuleType, tmp_path: Path) -> None:
    assert check.main(site(tmp_path, GOOD, "body { background: url(i.png) }")) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<a href="c.html">c</a>', "a.html: c.html leads nowhere"),
        ('<a href="b.html#there">b</a>', "a.html: b.html#there: no such heading"),
        ('<a href="#there">b</a>', "a.html: #there: no such heading"),
        ('<script src="https://example.org/x.js"></script>', "a.html: fetches https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "a.html: fetches //example.org/x.css"),
        ('<link rel="preconnect" href="https://example.org">', "a.html: fetches https://example.org"),
        ('<img src="missing.png">', "a.html: missing.png is not there"),
        ("", "s.css: fetches https://example.org/font"),
    ],
)
def test_each_fault_is_told(
    check: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    style = "@font-face { src: url('https://example.org/font') }" if not text else ""
    assert check.main(site(tmp_path, f'<h1 id="top">x</h1>{text}', style)) == 1
    assert said in capsys.readouterr().out.splitlines()


def test_an_empty_site_is_no_sound_one(check: ModuleType, tmp_path: Path) -> None:
    assert check.main(tmp_path) == 4
