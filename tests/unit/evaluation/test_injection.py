"""The injection benchmark's shares and its table, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.evaluation.attacks import ATTACKS, UNTOUCHED
from headrank.evaluation.injection import attack_shares
from headrank.tables.injection import injection_table

# Final ranks from 0 of the attacked passage: of two lists, ICR lets instructions win one and repeated words both.
ICR = {
    UNTOUCHED: (30, 2),
    "instructions": (2, 3),
    "query-words": (0, 0),
    "special-tokens": (30, 3),
    "labels": (3, 30),
}
NEVER = dict.fromkeys(ICR, (20, 21))


def ranks(**methods: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    rows = [
        ("small", method.replace("_", "-"), attack, qid, "d", 40, rank)
        for method, found in methods.items()
        for attack, both in found.items()
        for qid, rank in zip(("q1", "q2"), both, strict=True)
    ]
    return pd.DataFrame(rows, columns=["backbone", "method", "attack", "qid", "docid", "passages", "rank"])


def test_shares_are_of_lists_whose_passage_is_among_the_first_three() -> None:
    (row,) = attack_shares(ranks(icr=ICR)).to_dict("records")
    assert (row["backbone"], row["method"], row["lists"]) == ("small", "icr", 2)
    assert row[UNTOUCHED] == 0.5
    assert [row[attack] for attack in ATTACKS] == [0.5, 1.0, 0.0, 0.0]
    # By list, attacks less untouched: 2/4 - 0 and 1/4 - 1.
    assert row["added"] == pytest.approx((0.5 - 0.75) / 2)
    assert (row["low"], row["high"]) == pytest.approx((-0.75, 0.5))


def test_a_list_that_is_missing_or_there_twice_is_named() -> None:
    whole = ranks(icr=ICR)
    with pytest.raises(InputError, match=r"icr \(small\) lacks a list"):
        attack_shares(whole.iloc[:-1])
    with pytest.raises(InputError, match=r"icr \(small\) lacks a list"):
        attack_shares(whole[whole["attack"] != "labels"])
    with pytest.raises(InputError, match=r"icr \(small\) has a list twice"):
        attack_shares(pd.concat([whole, whole.iloc[:1]]))


def test_the_table_shows_percent_methods_in_order_and_how_long_the_lists_are() -> None:
    table = injection_table(ranks(headrank=NEVER, icr=ICR), resampling={"alpha": 0.1, "seed": 1})
    shown = table.formatted()
    assert list(shown["method"]) == ["ICR", "HeadRank"]
    assert list(shown.iloc[0][[UNTOUCHED, *ATTACKS]]) == ["50", "50", "100", "0", "0"]
    assert list(shown.iloc[1][["added", "low", "high"]]) == ["0", "0", "0"]
    assert "of lists of 40 passages" in table.caption
    assert "90 % interval" in table.caption
    assert table.rows[0][3].value == 0.5
