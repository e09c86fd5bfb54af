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
            "judged": True,
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
    assert fitted.level == 0
    new = drawn(40, seed=2)
    nothing = new.assign(ratio=new["ratio"] - 0.6 * new["relevant"])
    assert fitted.of(nothing).mean() < 0.2 < 0.6 < fitted.of(new)[new["relevant"]].mean()


def test_the_level_of_a_list_counts_as_far_as_lists_with_nothing_relevant_show_it() -> None:
    # What is on the query's topic, relevant or not, is half a deviation stronger: too little to see in one passage.
    own, new = drawn(150, step=1.0), drawn(60, seed=2, step=1.0)
    for frame in (own, new):
        frame["ratio"] += 0.15
    strange, others = (drawn(150, seed=seed, step=0.0) for seed in (3, 4))
    without = fit_probability(own, MADE)
    fitted = fit_probability(own, MADE, strange=strange)
    assert fitted.level > 0.5
    assert fitted.provenance["lists_with_nothing_relevant"] == {"lists": 150, "share": 0.2}
    # On lists of its own it stays right, and others get less throughout.
    judged = new.assign(probability=fitted.of(new))
    assert judge_calibration(judged).error < 0.08
    assert fitted.of(others).mean() < 0.5 * without.of(others).mean()
    assert fitted.of(others).max() < fitted.of(new).max()


def test_passages_without_a_judgement_count_for_their_list_only() -> None:
    own = drawn(60)
    own.loc[::3, "judged"] = False
    one = fit_probability(own, MADE, strange=drawn(60, seed=3, step=0.0))
    own.loc[~own["judged"], "relevant"] = ~own["relevant"]
    assert fit_probability(own, MADE, strange=drawn(60, seed=3, step=0.0)) == one
    assert one.provenance["passages"] == int(own["judged"].sum())


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
