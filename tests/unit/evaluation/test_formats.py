"""What is counted of rankings: whole ones, ties, empty documents, and the answers of methods that write them."""

from __future__ import annotations

import pandas as pd

from headrank.evaluation.formats import format_counts

CANDIDATES = {"x": {"q1": ["a", "b", "c"], "q2": ["d", "e"]}}


def ranking(*rows: tuple[str, str, float, bool]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["qid", "docid", "score", "empty"])


WHOLE = ranking(
    ("q1", "c", 3.0, False), ("q1", "a", 2.0, False), ("q1", "b", 2.0, True), ("q2", "e", 2.0, False),
    ("q2", "d", 1.0, False),
)  # fmt: skip
CALLS = pd.DataFrame({"qid": ["q2"] * 3, "complete": [True, False, True], "well_formed": [True] * 3})


def counted(
    method: str, frame: pd.DataFrame, calls: dict[tuple[str, str, str], pd.DataFrame]
) -> dict[str, object]:
    (row,) = format_counts([(("m", "x", method), frame)], CANDIDATES, calls, ["rankgpt"]).to_dict("records")
    return row


def test_a_whole_ranking() -> None:
    row = counted("core", WHOLE, {})
    assert {key: row[key] for key in ("queries", "permutations", "ties", "empty_documents")} == {
        **{"queries": 2, "permutations": 2},
        # Equal scores of different queries are none.
        **{"ties": 2, "empty_documents": 1},
    }
    assert all(pd.isna(row[key]) for key in ("calls", "complete", "well_formed"))


def test_a_document_that_is_missing_doubled_or_foreign_spoils_its_query() -> None:
    assert counted("core", WHOLE.iloc[1:], {})["permutations"] == 1
    assert counted("core", pd.concat([WHOLE, WHOLE.iloc[:1]]), {})["permutations"] == 1
    assert counted("core", WHOLE.replace("e", "z"), {})["permutations"] == 1
    # A query that was not ranked at all is one of those that should have been.
    row = counted("core", WHOLE.iloc[:3], {})
    assert (row["queries"], row["permutations"]) == (2, 1)


def test_generative_methods_answer_for_the_queries_that_they_were_asked() -> None:
    part = WHOLE.iloc[3:]
    row = counted("rankgpt", part, {("m", "x", "rankgpt"): CALLS})
    assert (row["queries"], row["permutations"]) == (1, 1)
    assert (row["calls"], row["complete"], row["well_formed"]) == (3, 2, 3)
    # A method that is read off the next token writes nothing to be sound.
    row = counted("first", part, {("m", "x", "first"): CALLS})
    assert row["queries"] == 1
    assert pd.isna(row["calls"])
