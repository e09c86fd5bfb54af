"""The fitted probability: what it expects of irrelevant passages, its curve, its order in a list, and its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from headrank.errors import InputError
from headrank.probability.made_with import MadeWith
from headrank.probability.probability import Curve, Expected, Probability, falling

MADE = MadeWith("icr", "tiny", 4, 4, ((1, 2), (0, 3)), {"family": "qwen3", "order": "best-first"}, "ab12")
EXPECTED = Expected(-2.0, 0.5, 1.0, -1.0, 0.25)


def signals(**columns: list[float]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    plain = {"qid": ["q"] * count, "docid": [f"d{i}" for i in range(count)], "position": range(count)}
    return pd.DataFrame({**plain, "documents": count, **columns})


def test_the_excess_is_what_lies_above_an_irrelevant_passage_of_that_length_at_that_place() -> None:
    frame = signals(length=[1, 100, 1], ratio=[-2.0, 1.0, 0.0])
    # Places 0, 1/2 and 1: -2, -2 + 0.5 log 100 + 1/2 - 1/4, -2 + 1 - 1.
    expected = np.array([-2.0, -1.75 + 0.5 * np.log(100), -2.0])
    assert EXPECTED.excess(frame, "ratio") == pytest.approx((frame["ratio"].to_numpy() - expected) / 0.25)
    # The only passage of a list stands at its beginning.
    assert EXPECTED.excess(signals(length=[1], ratio=[-2.0]), "ratio") == pytest.approx([0])


def test_the_curves_give_what_their_formulas_say() -> None:
    platt = Curve("platt", 2.0, -1.0)
    assert platt(np.array([0.5, 0.0, 400.0, -400.0])) == pytest.approx([0.5, 1 / (1 + np.e), 1, 0])
    isotonic = Curve("isotonic", points=((0.0, 0.1), (1.0, 0.5), (2.0, 0.5)))
    assert isotonic(np.array([-1.0, 0.25, 1.5, 9.0])) == pytest.approx([0.1, 0.2, 0.5, 0.5])


def test_a_passage_without_a_token_is_not_relevant() -> None:
    probability = Probability(MADE, "ratio", EXPECTED, Curve("platt", 2.0, 0.0))
    assert probability.of(signals(length=[0, 3], ratio=[5.0, 5.0]))[0] == 0


def test_a_list_whose_passages_all_lie_low_counts_against_each_of_them() -> None:
    frame = signals(length=[1, 1, 1, 1], ratio=[-2.0, -1.0, -2.0, 0.0]).assign(
        documents=2, position=[0, 1, 0, 1]
    )
    frame["qid"] = ["low", "low", "high", "high"]
    # Excesses (place 0 and 1) are 0 and 4, 0 and 8; the lists' means 2 and 4.
    probability = Probability(MADE, "ratio", EXPECTED, Curve("platt", 1.0, -3.0), level=0.5)
    expected = 1 / (1 + np.exp(3 - np.array([0 + 1, 4 + 1, 0 + 2, 8 + 2])))
    assert probability.of(frame) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_probabilities_fall_with_the_rank_and_keep_their_mean(chances: list[float]) -> None:
    found = falling(np.array(chances))
    assert (np.diff(found) <= 1e-12).all()
    assert found.mean() == pytest.approx(np.mean(chances), abs=1e-9)
    places = np.arange(len(chances))
    assert found == pytest.approx(
        IsotonicRegression(increasing=False).fit_transform(places, chances), abs=1e-7
    )
    # What falls already stays.
    assert falling(np.sort(chances)[::-1]) == pytest.approx(np.sort(chances)[::-1])


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    for curve in (Curve("platt", 2.0, -1.0), Curve("isotonic", points=((0.0, 0.1), (1.0, 0.5)))):
        saved = Probability(MADE, "mass", EXPECTED, curve, 0.5, {"queries": 12})
        saved.save(tmp_path / "probability.json")
        assert Probability.load(tmp_path / "probability.json") == saved


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (replace(MADE, n_layers=5), "fitted on another backbone than tiny"),
        (replace(MADE, fingerprint="cd34"), "their configuration or weights differ"),
        (replace(MADE, method="core"), "fitted with method 'icr', not 'core'"),
        (replace(MADE, adapter="00"), "fitted with adapter None, not '00'"),
        (replace(MADE, heads=((1, 2),)), r"fitted with heads \(\(1, 2\), \(0, 3\)\), not \(\(1, 2\),\)"),
        (
            replace(MADE, prompt={"family": "qwen3", "order": "best-last"}),
            "fitted with order 'best-first', not 'best-last'; rank as it was fitted, or fit again",
        ),
        (replace(MADE, prompt={"family": "qwen3"}), "fitted with order 'best-first', not None"),
        (replace(MADE, prompt={**MADE.prompt, "tokens": 9}), "fitted with tokens None, not 9"),
    ],
)
def test_a_probability_is_refused_where_signals_mean_something_else(changed: MadeWith, told: str) -> None:
    MADE.fits(MADE, "p.json")
    with pytest.raises(InputError, match=f"^p.json: .*{told}"):
        MADE.fits(changed, "p.json")
