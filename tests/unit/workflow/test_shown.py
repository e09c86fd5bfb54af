"""Tables and figures describe themselves: what the workflow reads of them, and what their functions take."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from headrank.errors import InputError
from headrank.workflow import shown as shown_module
from headrank.workflow.artefacts import FIGURES, TABLES
from headrank.workflow.shown import Shown, shown


@pytest.mark.parametrize(
    ("kind", "name", "one"),
    [
        *(("table", name, one) for name, one in TABLES.items()),
        *(("figure", name, one) for name, one in FIGURES.items()),
    ],
)
def test_a_function_takes_what_it_is_given(kind: str, name: str, one: Shown) -> None:
    made = getattr(import_module(one.module), f"{name}_{kind}")
    assert {*one.frames, *one.options} <= {*inspect.signature(made).parameters}
    assert one.caption.endswith(".")


def test_a_module_is_read_without_being_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_module, "_ROOT", tmp_path)
    folder = tmp_path / "figures"
    folder.mkdir()
    folder.joinpath("mine.py").write_text(
        'raise ImportError\nCAPTION = "Mine."\nFRAMES = {"metrics": "main"}\nNEEDS = ("clock",)\n',
        encoding="utf-8",
    )
    folder.joinpath("style.py").write_text("COLOUR = 3\n", encoding="utf-8")
    assert shown("figures") == {
        "mine": Shown("headrank.figures.mine", "Mine.", {"metrics": "main"}, needs=("clock",))
    }
    folder.joinpath("mine.py").write_text("FRAMES = {}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.py: FRAMES without a CAPTION"):
        shown("figures")
    folder.joinpath("mine.py").write_text('CAPTION = "a"\nFRAMES = dict(a=1)\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.py, line 2: FRAMES is no literal"):
        shown("figures")
