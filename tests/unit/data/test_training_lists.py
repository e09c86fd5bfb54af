"""Training lists: strata, duplicates, test queries, context, permutation, and determinism."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrank.data.collections import Document
from headrank.data.training_lists import build_lists, by_list, normalise, subset_queries
from headrank.errors import InputError
from headrank.settings import ListSettings

# 12 documents each of grades 3, 2, 1; 30 of grade 0; 20 unjudged.
GRADES = {
    f"g{grade}-{i:02}": grade for grade, count in [(3, 12), (2, 12), (1, 12), (0, 30)] for i in range(count)
}
UNJUDGED = [f"u{i:02}" for i in range(20)]
PASSAGES = {docid: Document(docid, "", f"text of {docid}") for docid in [*GRADES, *UNJUDGED]}
# The first stage mixes unjudged documents with some of grade 0, worst numbers first.
RANKED = [d for pair in zip(UNJUDGED, [f"g0-{i:02}" for i in range(19, -1, -1)], strict=True) for d in pair]
RUN = {"q": [(docid, 100.0 - i) for i, docid in enumerate(RANKED)]}


def build(samples: int = 3, seed: int = 0, **changes: Any) -> pd.DataFrame:
    given: dict[str, Any] = {
        "queries": {"q": "some query"}, "qrels": {"q": GRADES}, "run": RUN, "passages": PASSAGES, "exclude": (),
    }  # fmt: skip
    given.update({key: changes.pop(key) for key in list(changes) if key in given})
    exclude = given.pop("exclude")
    return build_lists(settings=ListSettings(**changes), samples=samples, seed=seed, exclude=exclude, **given)


def test_strata():
    lists = build(samples=4)
    assert lists["list_id"].tolist() == [i for i in range(4) for _ in range(40)]
    assert lists["sample"].tolist() == lists["list_id"].tolist()
    for _, group in lists.groupby("list_id"):
        assert group["position"].tolist() == list(range(40))
        assert group["docid"].is_unique
        assert group["grade"].value_counts().to_dict() == {3: 8, 2: 8, 1: 8, 0: 16}
        assert all(GRADES[d] == g for d, g in zip(group["docid"], group["grade"], strict=True))
        # Grade 0: those that the first stage ranks highest.
        zeros = group[group["grade"] == 0]
        assert sorted(zeros["rank"]) == [2 * i + 1 for i in range(16)]
        assert all(RANKED[rank] == docid for docid, rank in zip(zeros["docid"], zeros["rank"], strict=True))
        assert (group.loc[group["grade"] > 0, "rank"] == -1).all()


def test_random_irrelevant_documents_come_from_all_that_are_judged():
    lists = build(samples=20, irrelevant="random")
    zeros = lists[lists["grade"] == 0]
    assert zeros.groupby("list_id").size().tolist() == [16] * 20
    drawn = zeros.groupby("docid").size().reindex([d for d in GRADES if GRADES[d] == 0], fill_value=0)
    # 20 draws of 16 from 30: each comes 10.7 times on average, with a standard deviation of 2.2.
    assert drawn.between(1, 20).all()
    assert drawn.nunique() > 3


def test_unjudged_documents_fill_up_in_first_stage_order():
    few = {docid: grade for docid, grade in GRADES.items() if grade in (3, 2)}
    few["g0-19"] = 0
    few["g0-05"] = 0  # in the run, further down
    few["g0-25"] = 0  # not in the run
    passages = {d: p for d, p in PASSAGES.items() if d in few or d in UNJUDGED}
    lists = build(samples=1, qrels={"q": few}, passages=passages, size=30)
    counts = lists["grade"].value_counts().to_dict()
    # Context comes before the grade-0 document that the first stage did not find, which is no hard one.
    assert counts == {3: 8, 2: 8, 0: 2, -1: 12}
    assert "g0-25" not in set(lists["docid"])
    unjudged = lists[lists["grade"] == -1].sort_values("rank")["docid"].tolist()
    assert unjudged == UNJUDGED[:12]
    bare = build(samples=1, qrels={"q": few}, passages=passages, size=30, fill_unjudged=False)
    assert bare["grade"].min() == 0
    assert len(bare) == 19


def test_judgements_below_zero_are_not_unjudged():
    grades = {"g3-00": 3, "g0-00": -2}
    lists = build(samples=1, qrels={"q": grades}, fill_unjudged=False)
    assert dict(zip(lists["docid"], lists["grade"], strict=True)) == {"g3-00": 3, "g0-00": 0}


def test_each_sample_has_its_own_documents_and_its_own_order():
    lists = build(samples=5)
    samples = [group for _, group in lists.groupby("sample")]
    chosen = {tuple(sorted(group["docid"])) for group in samples}
    assert len(chosen) == 5
    # Grade 0 is the same in each sample; its order is not, and no order is by grade or rank.
    orders = {tuple(group.loc[group["grade"] == 0, "docid"]) for group in samples}
    assert len(orders) == 5
    for group in samples:
        assert abs(np.corrcoef(group["position"], group["grade"])[0, 1]) < 0.5


def test_candidates_as_they_are_tested():
    """The first sample is what a test query's list would be; later ones are parts of the pool."""
    run = {"q": [(docid, 100.0 - i) for i, docid in enumerate([*GRADES][:4] + RANKED)]}
    lists = build(samples=3, run=run, documents="candidates", order="first-stage", size=10, pool=20)
    first, *others = (group for _, group in lists.groupby("sample"))
    assert first["docid"].tolist() == [*[*GRADES][:4], *RANKED[:6]]
    assert first["grade"].tolist() == [3, 3, 3, 3, -1, 0, -1, 0, -1, 0]
    assert first["rank"].tolist() == list(range(10))
    assert all(GRADES.get(d, -1) == g for d, g in zip(lists["docid"], lists["grade"], strict=True))
    drawn = {tuple(group["docid"]) for group in others}
    assert len(drawn) == 2
    for group in others:
        assert group["rank"].is_monotonic_increasing
        assert group["rank"].between(0, 19).all()
        assert group["rank"].tolist() != list(range(10))


def test_judged_documents_in_first_stage_order_those_not_found_last():
    (group,) = (g for _, g in build(samples=1, order="first-stage").groupby("list_id"))
    ranks = [99 if rank < 0 else rank for rank in group["rank"]]
    assert ranks == sorted(ranks)
    assert ranks.count(99) == 24
    assert group["grade"].value_counts().to_dict() == {3: 8, 2: 8, 1: 8, 0: 16}


def test_candidates_judged_below_zero_are_irrelevant_not_unjudged():
    grades = {"g3-00": 3, "g0-00": -2}
    run = {"q": [("g0-00", 2.0), ("g3-00", 1.0), ("u00", 0.5)]}
    lists = build(samples=1, qrels={"q": grades}, run=run, documents="candidates", order="first-stage")
    assert lists["grade"].tolist() == [0, 3, -1]


def test_unjudged_candidates_can_count_as_irrelevant():
    run = {"q": [("g3-00", 3.0), ("u00", 2.0), ("g0-00", 1.0)]}
    lists = build(
        samples=1, run=run, documents="candidates", order="first-stage", unjudged="irrelevant", size=3
    )
    assert lists["grade"].tolist() == [3, 0, 0]
    # One judged grade and unjudged passages make a list of two grades then.
    alone = {"q": [("g3-00", 2.0), ("u00", 1.0)]}
    assert build(samples=1, run=alone, documents="candidates", unjudged="irrelevant")["grade"].nunique() == 2


def test_positions_are_uniform():
    lists = build(samples=300, size=10, per_grade=3)
    mean = lists[lists["grade"] == 3]["position"].mean()
    assert abs(mean - 4.5) < 0.25  # standard error 0.09


def test_duplicates_keep_one_grade():
    passages = dict(PASSAGES)
    passages["g1-00"] = Document("g1-00", "Same", "One   text")
    passages["g0-00"] = Document("g0-00", "same", "one\nTEXT ")
    grades = {"g1-00": 1, "g0-00": 0, "g0-01": 0, "g2-00": 2}
    kept = build(samples=1, qrels={"q": grades}, passages=passages, fill_unjudged=False)
    assert sorted(kept["docid"]) == ["g0-01", "g1-00", "g2-00"]
    both = build(samples=1, qrels={"q": grades}, passages=passages, fill_unjudged=False, dedupe=False)
    assert sorted(both["docid"]) == ["g0-00", "g0-01", "g1-00", "g2-00"]


def test_a_duplicate_does_not_use_up_a_place_of_its_grade():
    passages = {**PASSAGES, **{f"g3-{i:02}": Document(f"g3-{i:02}", "", "all the same") for i in range(11)}}
    lists = build(samples=1, passages=passages, per_grade=2)
    assert (lists["grade"] == 3).sum() == 2
    assert "g3-11" in set(lists["docid"])


def test_test_queries_are_left_out():
    queries = {"q": "Some  query ", "r": "another query"}
    qrels = {"q": GRADES, "r": GRADES}
    assert set(build(queries=queries, qrels=qrels)["qid"]) == {"q", "r"}
    assert set(build(queries=queries, qrels=qrels, exclude=["some QUERY"])["qid"]) == {"r"}
    with pytest.raises(InputError, match="no query has judged documents of two grades"):
        build(exclude=["some query"])


def test_queries_of_one_grade_have_no_lists():
    qrels = {"q": GRADES, "r": {"g3-00": 1, "g3-01": 1}}
    lists = build(queries={"q": "x", "r": "y"}, qrels=qrels)
    assert set(lists["qid"]) == {"q"}
    with pytest.raises(InputError, match="training query 's' has judgements but no text"):
        build(queries={"q": "x"}, qrels={"q": GRADES, "s": GRADES})


def test_the_same_seed_gives_the_same_lists():
    pd.testing.assert_frame_equal(build(), build())
    assert build()["docid"].tolist() != build(seed=1)["docid"].tolist()
    shuffled = dict(reversed(GRADES.items()))
    pd.testing.assert_frame_equal(build(), build(qrels={"q": shuffled}))


def test_a_query_s_lists_do_not_depend_on_other_queries():
    columns = ["sample", "position", "docid", "grade", "rank"]
    alone = build()[columns]
    queries = {"a": "first", "q": "some query", "z": "last"}
    for others in (["a"], ["z"], ["a", "z"]):
        lists = build(queries=queries, qrels={**dict.fromkeys(others, GRADES), "q": GRADES})
        own = lists[lists["qid"] == "q"][columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone)
    # Nor are two queries with the same judgements given the same lists.
    other = lists[lists["qid"] == "a"][columns].reset_index(drop=True)
    assert not other.equals(alone)


def test_subsets_of_queries_are_nested_and_seeded():
    lists = pd.DataFrame({"list_id": range(40), "qid": [f"q{i // 2:02}" for i in range(40)]})
    subsets = [set(subset_queries(lists, n, 0)["qid"]) for n in (5, 10, 20)]
    assert [len(s) for s in subsets] == [5, 10, 20]
    assert subsets[0] < subsets[1] < subsets[2]
    assert set(subset_queries(lists, 5, 1)["qid"]) != subsets[0]
    assert subset_queries(lists, None, 0) is lists
    assert (subset_queries(lists, 5, 0).groupby("qid").size() == 2).all()
    with pytest.raises(InputError, match=r"training\.queries: 21 asked for, 20 queries have training lists"):
        subset_queries(lists, 21, 0)


def test_by_list_orders_by_position():
    frame = pd.DataFrame({"list_id": [2, 1, 1], "position": [0, 1, 0], "docid": ["c", "b", "a"]})
    parts = by_list(frame)
    assert {key: part["docid"].tolist() for key, part in parts.items()} == {1: ["a", "b"], 2: ["c"]}
    assert list(by_list(frame.drop(columns="position"))) == [1, 2]


def test_normalise():
    assert normalise("  A\tb\n C ") == "a b c"


def test_sizes_are_spread_evenly_and_the_same_seed_draws_the_same():
    run = {"q": [(f"d{i}", -float(i)) for i in range(100)]}
    grades = {"q": {f"d{i}": i % 3 for i in range(100)}}
    passages = {f"d{i}": Document(f"d{i}", "", f"text {i}") for i in range(100)}
    options = {"run": run, "qrels": grades, "passages": passages, "documents": "candidates"}
    lists = build(samples=300, size=30, spread=10, **options)
    sizes = lists.groupby("list_id").size()
    assert set(sizes) == set(range(20, 41))
    assert sizes.mean() == pytest.approx(30, abs=1)
    pd.testing.assert_frame_equal(lists, build(samples=300, size=30, spread=10, **options))
    # The first list still holds the best candidates, as many as it has room for.
    first = lists[lists["sample"] == 0]
    assert sorted(first["rank"]) == list(range(len(first)))
    even = build(samples=3, size=30, spread=0, **options)
    assert set(even.groupby("list_id").size()) == {30}


def test_a_spread_that_leaves_no_list_is_refused():
    with pytest.raises(InputError, match=r"lists\.spread: 29 would make lists of fewer than 2"):
        build(samples=1, size=30, spread=29)
