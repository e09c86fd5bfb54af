"""Middle-zone selectivity: cases by hand, chance on random rankings, and the test of a grown gap."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.evaluation.homogenisation import homogenisation, profile
from headrank.evaluation.middle_zone import ZoneSettings, zone_bounds
from headrank.evaluation.selectivity import _terms, gap_test, promotion, zone_counts, zone_documents
from headrank.evaluation.significance import Resampling


def ranking(orders: dict[str, list[int]], scores: dict[str, list[float]] | None = None) -> pd.DataFrame:
    """Documents d1..dN stand in this order in the prompt; ``orders`` lists document numbers, best first."""
    rows = []
    for qid, order in orders.items():
        values = (scores or {}).get(qid, [float(-i) for i in range(len(order))])
        rows += [(qid, f"d{d}", d - 1, s, r) for r, (d, s) in enumerate(zip(order, values, strict=True))]
    return pd.DataFrame(rows, columns=["qid", "docid", "position", "score", "rank"])


def test_bounds():
    assert zone_bounds(40) == (10, 30)  # positions 11 to 30, counted from 1
    for size in range(1, 200):
        assert zone_bounds(size) == (math.ceil(0.25 * size), math.floor(0.75 * size))


# Eight documents: the zone is d3 to d6, the top quartile the first two of the ranking.
ORDER = [3, 5, 1, 2, 4, 6, 7, 8]
GRADES = {"d1": 3, "d3": 2, "d4": 1, "d5": 0, "d6": -1, "d8": 0}


def test_promotion_by_hand():
    documents = zone_documents(ranking({"q": ORDER}), {"q": GRADES})
    assert {
        (d, g): p for d, g, p in zip(*(documents[c] for c in ("docid", "group", "promoted")), strict=True)
    } == {
        ("d3", "relevant"): True,
        ("d4", "relevant"): False,
        ("d5", "irrelevant"): True,
        ("d6", "irrelevant"): False,
    }
    found = promotion(documents)
    assert (found.relevant, found.irrelevant, found.gap) == (0.5, 0.5, 0.0)
    assert (found.n_relevant, found.n_irrelevant, found.n_queries) == (2, 2, 1)


def test_alternatives():
    frame = ranking({"q": ORDER})
    strict = promotion(zone_documents(frame, {"q": GRADES}, ZoneSettings(relevant_from=2)))
    assert (strict.relevant, strict.n_relevant, strict.n_irrelevant) == (1.0, 1, 2)  # grade 1 is neither
    grades = {"d3": 2, "d4": 1, "d5": 0}
    assert promotion(zone_documents(frame, {"q": grades})).irrelevant == 1.0
    wide = promotion(zone_documents(frame, {"q": grades}, ZoneSettings(irrelevant="judged+unjudged")))
    assert (wide.irrelevant, wide.n_irrelevant) == (0.5, 2)  # d5 promoted, d6 unjudged and not


def test_zone_by_the_untrained_rank():
    trained = ranking({"q": ORDER})
    untrained = ranking({"q": [8, 7, 1, 2, 3, 4, 5, 6]})  # its zone: d1 d2 d3 d4
    documents = zone_documents(trained, {"q": GRADES}, ZoneSettings(zone="untrained"), untrained)
    assert set(documents["docid"]) == {"d1", "d3", "d4"}
    assert documents.set_index("docid")["promoted"].to_dict() == {"d1": False, "d3": True, "d4": False}
    with pytest.raises(InputError, match="needs the ranking of the untrained model"):
        zone_documents(trained, {"q": GRADES}, ZoneSettings(zone="untrained"))
    with pytest.raises(InputError, match="untrained ranking: its candidates differ"):
        zone_documents(trained, {"q": GRADES}, ZoneSettings(zone="untrained"), ranking({"q": [1, 2, 3, 4]}))


def test_pooled_and_macro():
    """Query a: 1 of 1 relevant and 0 of 3 irrelevant promoted; query b: 0 of 2 relevant, no irrelevant."""
    frame = ranking({"a": [3, 1, 2, 4, 5, 6, 7, 8], "b": [1, 2, 3, 4, 5, 6, 7, 8]})
    qrels = {"a": {"d3": 1, "d4": 0, "d5": 0, "d6": 0}, "b": {"d3": 1, "d4": 1}}
    documents = zone_documents(frame, qrels)
    pooled, macro = promotion(documents), promotion(documents, "macro")
    assert (pooled.relevant, pooled.irrelevant) == (pytest.approx(1 / 3), 0.0)
    assert (macro.relevant, macro.irrelevant) == (0.5, 0.0)


def test_a_zone_without_documents_has_no_share():
    found = promotion(zone_documents(ranking({"q": ORDER}), {"q": {"d5": 0}}))
    assert math.isnan(found.relevant)
    assert math.isnan(found.gap)
    assert found.n_relevant == 0
    nothing = promotion(zone_documents(ranking({"q": [1, 2]}), {"q": {"d1": 1}}))
    assert math.isnan(nothing.irrelevant)


def random_rankings(
    queries: int, seed: int, size: int = 40
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    rng = np.random.default_rng(seed)
    orders = {f"q{i}": (rng.permutation(size) + 1).tolist() for i in range(queries)}
    qrels = {q: {f"d{d}": int(g) for d, g in enumerate(rng.integers(0, 4, size), start=1)} for q in orders}
    return ranking(orders), qrels


@pytest.mark.parametrize("zone", ["position", "untrained"])
def test_random_rankings_promote_a_quarter(zone):
    """Within four standard errors; draws without replacement vary less than the binomial bound used here."""
    frame, qrels = random_rankings(300, seed=1)
    untrained, _ = random_rankings(300, seed=2)
    documents = zone_documents(frame, qrels, ZoneSettings(zone=zone), untrained)
    assert len(documents) == 300 * 20
    for average in ("pooled", "macro"):
        found = promotion(documents, average)
        for share, n in ((found.relevant, found.n_relevant), (found.irrelevant, found.n_irrelevant)):
            # With about 5 of a group in each zone the macro mean has nearly the pooled error; 1.5 covers it.
            widen = 1.0 if average == "pooled" else 1.5
            assert share == pytest.approx(0.25, abs=4 * widen * math.sqrt(0.25 * 0.75 / n))


def perfect(qrels: dict[str, dict[str, int]]) -> pd.DataFrame:
    return ranking({q: sorted(range(1, 41), key=lambda d: -grades[f"d{d}"]) for q, grades in qrels.items()})


def test_gap_test():
    frame, qrels = random_rankings(40, seed=3)
    before, after = zone_documents(frame, qrels), zone_documents(perfect(qrels), qrels)
    for average in ("pooled", "macro"):
        found = gap_test(before, after, average)
        assert found.before == pytest.approx(promotion(before, average).gap)
        assert found.after == pytest.approx(promotion(after, average).gap)
        assert found.difference > 0.2
        assert found.p < 0.001
        assert found.n_queries == 40
        assert gap_test(after, before, average).p > 0.999
        assert gap_test(before, before, average).p == 1.0


@pytest.mark.parametrize("average", ["pooled", "macro"])
def test_gap_test_by_enumeration(average):
    """Exchange before and after in every subset of six queries and recompute the gaps from the documents."""
    frame, qrels = random_rankings(6, seed=5)
    qrels["q0"] = dict.fromkeys(qrels["q0"], 1)  # no irrelevant documents in one query
    better, _ = random_rankings(6, seed=6)
    before, after = zone_documents(frame, qrels), zone_documents(better, qrels)
    observed = promotion(after, average).gap - promotion(before, average).gap
    queries = sorted(qrels)
    outcomes = []
    for swaps in itertools.product((False, True), repeat=len(queries)):
        swapped = {q for q, s in zip(queries, swaps, strict=True) if s}
        first = pd.concat([before[~before["qid"].isin(swapped)], after[after["qid"].isin(swapped)]])
        second = pd.concat([after[~after["qid"].isin(swapped)], before[before["qid"].isin(swapped)]])
        outcomes.append(promotion(second, average).gap - promotion(first, average).gap)
    expected = np.mean([o >= observed - 1e-12 for o in outcomes])
    assert gap_test(before, after, average).p == pytest.approx(expected)


@pytest.mark.parametrize("average", ["pooled", "macro"])
def test_the_terms_of_the_queries_add_up_to_the_gap(average):
    """Also where some queries lack one of the groups: these count for the other group alone."""
    frame, qrels = random_rankings(12, seed=10)
    for q, grade in (("q0", 1), ("q1", 1), ("q2", 0)):
        qrels[q] = dict.fromkeys(qrels[q], grade)
    documents = zone_documents(frame, qrels)
    assert _terms(zone_counts(documents), average).sum() == pytest.approx(promotion(documents, average).gap)


def test_benchmarks_with_equal_query_ids_stay_apart():
    frame, qrels = random_rankings(10, seed=7)
    other, other_qrels = random_rankings(10, seed=8)

    def both(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
        return pd.concat(
            [
                zone_documents(first, qrels).assign(benchmark="one"),
                zone_documents(second, other_qrels).assign(benchmark="two"),
            ]
        )

    before, after = both(frame, other), both(perfect(qrels), perfect(other_qrels))
    assert promotion(before).n_queries == 20
    assert (
        gap_test(before, after, settings=Resampling(n_resamples=500, alternative="greater")).n_queries == 20
    )
    with pytest.raises(InputError, match="only one of them has the column 'benchmark'"):
        gap_test(before.drop(columns="benchmark"), after)


def test_gap_test_refuses_other_documents():
    frame, qrels = random_rankings(3, seed=9)
    documents = zone_documents(frame, qrels)
    with pytest.raises(InputError, match="zone documents differ"):
        gap_test(documents, documents.iloc[1:])
    relevant = documents[documents["group"] == "relevant"]
    with pytest.raises(InputError, match="no irrelevant documents"):
        gap_test(relevant, relevant)


def values(frame: pd.DataFrame) -> dict[str, float]:
    return dict(zip(frame["metric"], frame["value"], strict=True))


def test_homogenisation_by_hand():
    # Best first: d3 d5 d1 d2 d4 d6 d7 d8 with scores 9 7 6 4 3 3 1 0.
    frame = ranking({"q": ORDER}, {"q": [9, 7, 6, 4, 3, 3, 1, 0]})
    found = values(homogenisation(frame, {"q": GRADES}))
    zone = np.array([9, 3, 7, 3])  # d3 d4 d5 d6
    assert found["zone_cv"] == pytest.approx(zone.std() / zone.mean())
    # Steps 2 1 2 1 0 2 1 lead from rank 0 .. 6; those from ranks 2 to 5 are inside: 2 1 0 2.
    assert found["adjacent_ratio"] == pytest.approx(np.mean([2, 1, 0, 2]) / np.mean([2, 1, 1]))
    # Scores 9 3 7 3, grades 2 1 0 -1: pairs + + + - + and one tie in score; tau-b = 3 / sqrt(5 * 6).
    assert found["zone_tau"] == pytest.approx(3 / math.sqrt(5 * 6))


def test_homogenisation_at_its_limits():
    flat = ranking({"q": ORDER}, {"q": [1.0] * 8})
    found = values(homogenisation(flat, {"q": GRADES}))
    assert found == {"zone_cv": 0.0, "zone_tau": 0.0}  # no step outside the zone to compare with
    found = values(homogenisation(ranking({"q": ORDER}, {"q": [0.0] * 8}), {"q": {"d3": 1, "d4": 1}}))
    assert found == {}
    assert list(homogenisation(ranking({"q": [1]}), {}).columns) == ["qid", "metric", "value"]


def test_profile_by_hand():
    frame = ranking(
        {"a": [1, 2, 3, 4], "b": [4, 3, 2, 1], "c": [1, 2, 3, 4]},
        {"a": [8, 6, 4, 0], "b": [3, 2, 1, 0], "c": [1, 1, 1, 1]},
    )
    qrels = {"a": {"d1": 1, "d2": 0}, "b": {"d1": 2, "d2": 0}, "c": {"d1": 1}}
    found = profile(frame, qrels).set_index(["group", "position"])
    scaled = np.array([1.0, 0.0, 0.5])  # d1 is best in a, worst in b; c is constant
    row = found.loc["relevant", 0]
    assert (row["mean"], row["n"]) == (pytest.approx(0.5), 3)
    assert row["high"] - row["mean"] == pytest.approx(1.96 * scaled.std(ddof=1) / math.sqrt(3))
    assert found.loc[("irrelevant", 1), "mean"] == pytest.approx((0.75 + 1 / 3) / 2)
    assert len(found) == 2
    share = profile(frame, qrels, normalise="share").set_index(["group", "position"])
    assert share.loc[("relevant", 0), "mean"] == pytest.approx((4 * 8 / 18 + 0 + 1) / 3)
    wide = profile(frame, qrels, ZoneSettings(irrelevant="judged+unjudged"), normalise="zscore")
    assert (wide["mean"] * wide["n"]).sum() == pytest.approx(0, abs=1e-12)
    single = profile(frame[frame["qid"] == "a"], qrels)
    assert (single["low"] == single["mean"]).all()
    with pytest.raises(InputError, match="query q has negative scores"):
        profile(ranking({"q": ORDER}), {"q": GRADES}, normalise="share")
    with pytest.raises(InputError, match="normalise: 'log'"):
        profile(frame, qrels, normalise="log")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda f: f.drop(columns="rank"), "column 'rank' is missing"),
        (lambda f: f.iloc[:0], "it is empty"),
        (lambda f: f.assign(score=np.nan), "query q: document d3 has a score that is not finite"),
        (lambda f: f.assign(docid="d"), "query q: document d appears twice"),
        (lambda f: f.assign(rank=f["rank"] + 1), "query q: rank does not count from 0 to N - 1"),
        (lambda f: f.assign(position=1), "query q: position does not count from 0 to N - 1"),
    ],
)
def test_bad_rankings(change, word):
    with pytest.raises(InputError, match=f"ranking: .*{word}|ranking: {word}"):
        zone_documents(change(ranking({"q": ORDER})), {"q": GRADES})


def test_bad_threshold():
    with pytest.raises(InputError, match="relevant_from: 0"):
        zone_documents(ranking({"q": ORDER}), {"q": GRADES}, ZoneSettings(relevant_from=0))
