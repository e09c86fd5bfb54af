"""From a study's frames to its claims: each backbone gets its own part of the evidence."""

from __future__ import annotations

import pandas as pd

from headrank.evaluation.claims import Evidence, judged_claims
from headrank.evaluation.middle_zone import ZoneSettings
from headrank.evaluation.published import PAPER_MODELS
from headrank.evaluation.significance import Resampling
from headrank.evaluation.verdicts import COLUMNS, DOES_NOT_HOLD, HOLDS, NOT_RUN

SETTINGS = Resampling(n_resamples=100, seed=3)
# Eight documents: the zone is d3 to d6, the top quartile the first two of the ranking; d3 is relevant, d4 is not.
UP, LEFT = [3, 1, 2, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8]
QRELS = {"x": {"q1": {"d3": 1, "d4": 0}, "q2": {"d3": 1, "d4": 0}}}


def ranking(order: list[int]) -> pd.DataFrame:
    rows = [(qid, f"d{d}", d - 1, float(-rank), rank) for qid in QRELS["x"] for rank, d in enumerate(order)]
    return pd.DataFrame(rows, columns=["qid", "docid", "position", "score", "rank"])


def values(backbone: str, ours: float) -> list[tuple[str, str, str, str, float]]:
    means = {"headrank": ours, "core": 0.5, "rankgpt": 0.4}
    return [(backbone, "x", method, qid, value) for method, value in means.items() for qid in QRELS["x"]]


EVIDENCE = Evidence(
    values=pd.DataFrame(
        [*values("good", 0.9), *values("bad", 0.1)], columns=["backbone", "benchmark", "method", "qid", "value"]
    ),
    kinds={"headrank": "trained", "core": "frozen", "rankgpt": "generative"},
    trained={("good", "x"): ranking(UP), ("bad", "x"): ranking(LEFT)},
    untrained={("good", "x"): ranking(LEFT), ("bad", "x"): ranking(UP)},
    qrels=QRELS,
    costs=pd.DataFrame(
        [
            ("good", "headrank", 2, 4, 0.5), ("good", "icr", 4, 4, 1.1),
            ("bad", "headrank", 4, 4, 1.2), ("bad", "icr", 4, 4, 1.1),
        ],
        columns=["backbone", "method", "layers_run", "layers_total", "share"],
    ),
    formats=pd.DataFrame(
        [("good", "headrank", 2, 2), ("good", "core", 2, 0), ("bad", "headrank", 2, 1)],
        columns=["backbone", "method", "queries", "permutations"],
    ),
    calls={
        (name, "x"): pd.DataFrame({"qid": ["q1", "q2"], "complete": [False, True]}) for name in ("good", "bad")
    },
    queries={"good": 211, "bad": 53},
)  # fmt: skip


def claims(metric: str = "nDCG@10") -> pd.DataFrame:
    return judged_claims(
        EVIDENCE, {"good": "", "bad": ""}, {"mean": ["x"]}, ZoneSettings(), SETTINGS,
        synthetic=False, depth=40, metric=metric,
    )  # fmt: skip


def test_each_backbone_is_judged_by_its_own_part() -> None:
    found = claims()
    assert list(found.columns) == COLUMNS
    verdicts = {
        backbone: part.set_index("claim")["verdict"].to_dict() for backbone, part in found.groupby("backbone")
    }
    assert set(verdicts["good"].values()) == {HOLDS}
    assert set(verdicts["bad"].values()) == {DOES_NOT_HOLD}
    assert set(verdicts[""].values()) == {NOT_RUN}
    gap = found[found["claim"] == "selectivity-gap"].set_index("backbone")["measured"]
    assert (gap["good"], gap["bad"]) == (1, 0)


def test_models_of_the_paper_that_are_not_there_are_said_not_to_be_run() -> None:
    rows = claims()
    absent = rows[rows["backbone"] == ""]
    assert set(PAPER_MODELS) == {model for cell in absent["model"] for model in cell.split(", ")}


def test_another_metric_is_not_the_papers() -> None:
    standing = claims("RR(rel=2)").set_index("backbone").loc["good", "standing"]
    assert all("RR(rel=2) instead of nDCG@10" in text for text in standing)
    assert not any("instead of nDCG@10" in text for text in claims()["standing"])
