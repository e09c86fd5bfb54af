"""Fitting probabilities: signals that are drawn from a known model give it back, and what says nothing is refused."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from headrank.errors import InputError, PrerequisiteError
from headrank.evaluation.calibration import judge_calibration
from headrank.probability.fit import fit_probability
from headrank.probability.made_with import MadeWith

MADE = MadeWith("icr", "tiny", 4, 4, ((1, 2),), {})


def drawn(queries: int, seed: int = 0, step: float = 2.0, each: int = 20) -> pd.DataFrame:
    """Passages whose ``ratio`` is Gaussian around what place and length give, ``step`` deviations higher if relevant.

    As a first stage ranks them: those at the front are more often relevant. ``mass`` is noise.
    """
    rng = np.random.default_rng(seed)
    count = queries * each
    position = np.tile(np.arange(each), queries)
    length = rng.integers(5, 100, count)
    relevant = rng.random(count) < np.where(position < each / 2, 0.5, 0.1)
    place = position / (each - 1)
    usual = 3 - 2 * place + 0.5 * np.log(length)
    return pd.DataFrame(
        {
            "qid": np.repeat([f"q{i}" for i in range(queries)], each),
            "docid": [f"d{i}" for i in range(count)],
            "position": position,
            "length": length,
            "documents": each,
            "mass": rng.normal(size=count),
            "ratio": usual + 0.3 * (rng.normal(size=count) + step * relevant),
            "relevant": relevant,
        }
    )


def test_the_model_that_signals_were_drawn_from_is_found() -> None:
    fitted = fit_probability(drawn(150), MADE, {"collection": "made up"})
    assert fitted.signal == "ratio"
    expected = fitted.expected
    # Although relevant passages stand at the front, their strength is not taken for an effect of the place.
    assert [expected.constant, expected.length, expected.place, expected.bend] == pytest.approx(
        [3, 0.5, -2, 0], abs=0.15
    )
    assert expected.spread == pytest.approx(0.3, rel=0.1)
    assert fitted.provenance["collection"] == "made up"
    assert fitted.provenance["queries"] == 150
    losses = fitted.provenance["heldout_log_loss"]
    assert losses["ratio, platt"] < losses["share of relevant passages"]

    new = drawn(150, seed=1)
    found = judge_calibration(new.assign(probability=fitted.of(new)))
    assert found.error < 0.03
    # Two Gaussians, two deviations apart.
    assert found.auc == pytest.approx(0.921, abs=0.02)


def test_lists_without_a_relevant_passage_get_low_probabilities() -> None:
    fitted = fit_probability(drawn(150), MADE)
    new = drawn(40, seed=2)
    nothing = new.assign(ratio=new["ratio"] - 0.6 * new["relevant"])
    with_some = fitted.of(new[new["relevant"]]).mean()
    assert fitted.of(nothing).mean() < 0.2 < 0.6 < with_some


def test_the_curve_that_does_better_on_held_out_queries_is_taken() -> None:
    # Relevant with probability 0.1 or 0.6, and nothing between: no logistic curve has a step.
    rng = np.random.default_rng(0)
    frame = drawn(400, step=0.0)
    frame["ratio"] = rng.random(len(frame))
    frame["relevant"] = rng.random(len(frame)) < np.where(frame["ratio"] > 0.8, 0.9, 0.05)
    fitted = fit_probability(frame, MADE)
    assert (fitted.signal, fitted.curve.form) == ("ratio", "isotonic")
    values = np.array([p for _, p in fitted.curve.points])
    assert (np.diff(values) >= 0).all()
    assert 0 < values[0] < 0.1 < 0.8 < values[-1] < 1
    # It is not considered with fewer than 50 passages of one kind.
    few = frame[frame["qid"].isin([f"q{i}" for i in range(10)])]
    few = few.drop(few[few["relevant"]].index[49:])
    told = fit_probability(few, MADE)
    assert told.curve.form == "platt"
    assert "ratio, isotonic" not in told.provenance["heldout_log_loss"]


def test_queries_whose_signals_separate_all_passages_still_give_a_finite_curve() -> None:
    frame = drawn(12, step=40.0)
    fitted = fit_probability(frame, MADE)
    assert np.isfinite(fitted.of(frame)).all()
    assert ((fitted.of(frame) > 0.5) == frame["relevant"]).all()


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (drawn(9), "9 judged queries, at least 10 are needed"),
        (drawn(12).assign(relevant=False), "all 240 judged passages are irrelevant"),
        (drawn(12).assign(relevant=True), "all 240 judged passages are relevant"),
        (drawn(60, step=-3.0).assign(mass=0.0), "a stronger signal are not more often relevant"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_line(frame: pd.DataFrame, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        fit_probability(frame, MADE)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(PrerequisiteError, match=r"pip install 'headrank\[probability\]'"):
        fit_probability(drawn(12), MADE)
