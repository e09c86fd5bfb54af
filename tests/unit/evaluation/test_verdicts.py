"""Claims: every verdict turns when its data turn, and none is about the paper unless the study is the paper's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from headrank.errors import InputError
from headrank.evaluation.bootstrap import drawn_sums, percentile_interval
from headrank.evaluation.findings import ZONE_COLUMNS, Finding, Measurements, findings
from headrank.evaluation.published import (
    BY_NAME,
    CLAIMS,
    PAPER_MODELS,
    PROMOTED_IRRELEVANT,
    PROMOTED_RELEVANT,
)
from headrank.evaluation.significance import Resampling, bootstrap_interval
from headrank.evaluation.verdicts import (
    COLUMNS,
    DOES_NOT_HOLD,
    HOLDS,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    claim_rows,
    claims_frame,
    rows_not_run,
    standing,
    verdict,
)
from headrank.methods.table import kind_of
from headrank.tables.claims import claims_table
from headrank.tables.write import to_csv, to_latex, to_markdown

SETTINGS = Resampling(n_resamples=400, seed=3)
FOURTEEN = [f"b{number}" for number in range(14)]
PAPER = "Qwen/Qwen3-4B"
Values = Mapping[str, Sequence[float]]


def table_of(values: Values) -> pd.DataFrame:
    """Method -> a value per query."""
    return pd.DataFrame({method: list(numbers) for method, numbers in values.items()})


def zone(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    """Relevant, of them promoted, irrelevant, of them promoted: a row per query."""
    return pd.DataFrame(list(rows), columns=ZONE_COLUMNS, index=[f"q{n}" for n in range(len(rows))])


def answers(*complete: bool) -> pd.DataFrame:
    return pd.DataFrame({"qid": [f"q{n}" for n in range(len(complete))], "complete": complete})


def costs(layers: int = 3, share: float = 0.6, methods: Sequence[str] = ("headrank", "icr")) -> pd.DataFrame:
    rows = {"headrank": (layers, 4, share), "icr": (4, 4, 1.2)}
    return pd.DataFrame(
        [rows[m] for m in methods], index=list(methods), columns=["layers_run", "layers_total", "share"]
    )


VALUES = {"headrank": (0.8, 0.6), "core": (0.5, 0.5), "rankgpt": (0.7, 0.6), "qwen3-reranker": (1.0, 1.0)}
GOOD = Measurements(
    values={name: table_of(VALUES) for name in FOURTEEN},
    kinds={method: kind_of(method) for method in (*VALUES, "qrranker", "bm25")},
    trained={name: zone((2, 1, 5, 1), (5, 4, 5, 0)) for name in FOURTEEN},
    untrained={name: zone((2, 0, 5, 1), (5, 2, 5, 2)) for name in FOURTEEN},
    costs=costs(),
    formats=pd.DataFrame({"queries": [2] * 14, "permutations": [2] * 14}),
    calls={name: answers(True, False) for name in FOURTEEN},
    queries=211,
)


def found(of: Measurements, members: Sequence[str] = FOURTEEN) -> dict[str, Finding]:
    return {claim: finding for claim, _, finding in findings(of, {"mean": members}, SETTINGS)}


def verdicts(of: Measurements, model: str = PAPER, faults: Sequence[str] = ()) -> dict[str, str]:
    panels = {"mean": list(of.values)}
    rows = claim_rows("qwen", model, findings(of, panels, SETTINGS), panels, faults)
    return {str(row["claim"]): str(row["verdict"]) for row in rows}


def changed(**changes: object) -> Measurements:
    return dataclasses.replace(GOOD, **changes)  # type: ignore[arg-type]


def with_values(values: Values) -> Measurements:
    return changed(values={name: table_of(values) for name in FOURTEEN})


def test_every_claim_is_found_once_per_panel_in_the_order_of_the_published_ones() -> None:
    order = [(claim, panel) for claim, panel, _ in findings(GOOD, {"mean": FOURTEEN, "x": ["b0"]}, SETTINGS)]
    expected = [(c.name, panel) for c in CLAIMS for panel in (("mean", "x") if c.averaged else ("",))]
    assert order == expected


def test_all_claims_are_reproduced_by_the_papers_model_when_all_are_met() -> None:
    assert {PAPER, "Qwen/Qwen3-0.6B"} <= set(PAPER_MODELS)
    large, small = verdicts(GOOD), verdicts(GOOD, "Qwen/Qwen3-0.6B")
    assert set(large.values()) == set(small.values()) == {REPRODUCED}
    # The paper gives the gap at 4B; R14 looks at RankGPT's format at the smallest scale.
    assert set(large) == set(BY_NAME) - {"formatting"}
    assert set(small) == set(BY_NAME) - {"selectivity-gap", "gap-widened"}


LOSES = {**VALUES, "core": (0.9, 0.9)}
TIES = {**VALUES, "rankgpt": (0.6, 0.8)}
HALF = {**GOOD.values, **{name: table_of(LOSES) for name in FOURTEEN[:7]}}
SIX_LOST = {**GOOD.values, **{name: table_of(LOSES) for name in FOURTEEN[:6]}}
FLAT = {name: zone((2, 1, 5, 1), (5, 1, 5, 2)) for name in FOURTEEN}


@pytest.mark.parametrize(
    ("claim", "of", "model"),
    [
        ("highest-mean", with_values(LOSES), PAPER),
        ("highest-mean", with_values(TIES), PAPER),
        ("most-benchmarks", changed(values=HALF), PAPER),
        ("most-benchmarks", with_values(TIES), PAPER),
        ("selectivity-gap", changed(trained=FLAT), PAPER),
        ("gap-widened", changed(untrained=GOOD.trained), PAPER),
        ("gap-widened", changed(trained=GOOD.untrained, untrained=GOOD.trained), PAPER),
        ("depth", changed(costs=costs(layers=4)), PAPER),
        ("operations", changed(costs=costs(share=1.2)), PAPER),
        ("formatting", changed(calls={"b0": answers(*[True] * 28)}), "Qwen/Qwen3-0.6B"),
        (
            "formatting",
            changed(formats=pd.DataFrame({"queries": [28], "permutations": [27]})),
            "Qwen/Qwen3-0.6B",
        ),
        ("training-queries", changed(queries=210), PAPER),
    ],
)
def test_a_verdict_turns_when_its_data_turn(claim: str, of: Measurements, model: str) -> None:
    assert verdicts(GOOD, model)[claim] == REPRODUCED
    assert verdicts(of, model)[claim] == NOT_REPRODUCED
    # The same findings of a stand-in say nothing about the paper, whichever way they turn.
    assert verdicts(GOOD, "", ["not the paper's weights"])[claim] == HOLDS
    assert verdicts(of, "", ["not the paper's weights"])[claim] == DOES_NOT_HOLD


def test_most_means_more_than_half() -> None:
    assert found(changed(values=HALF))["most-benchmarks"].measured == 7
    assert verdicts(changed(values=SIX_LOST))["most-benchmarks"] == REPRODUCED
    assert found(changed(values=SIX_LOST))["most-benchmarks"].measured == 8


def test_the_best_rival_is_of_any_kind_but_supervised_or_lexical() -> None:
    finding = found(GOOD)["highest-mean"]
    assert (finding.rival, finding.reason, finding.partial) == ("rankgpt", "", False)
    assert (finding.ours, finding.theirs) == pytest.approx((0.7, 0.65))
    assert finding.measured == pytest.approx(0.05)
    assert found(with_values({**VALUES, "bm25": (1.0, 1.0)}))["highest-mean"].rival == "rankgpt"
    assert found(with_values({**VALUES, "qrranker": (0.7, 0.69)}))["highest-mean"].rival == "qrranker"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({m: VALUES[m] for m in ("headrank", "core")}, "no generative method on all queries"),
        ({m: VALUES[m] for m in ("headrank", "rankgpt")}, "no decoding-free method on all queries"),
        (
            {**VALUES, "rankgpt": (0.1, float("nan"))},
            "no generative method on all queries; not on all queries: rankgpt",
        ),
    ],
)
def test_missing_rivals_can_refute_the_claim_but_not_reproduce_it(values: Values, reason: str) -> None:
    finding = found(with_values(values))["highest-mean"]
    assert (finding.reason, finding.partial, finding.met) == (reason, True, True)
    for claim in ("highest-mean", "most-benchmarks"):
        assert verdicts(with_values(values))[claim] == HOLDS
        beaten = {**values, "headrank": (0.0, 0.0)}
        assert verdicts(with_values(beaten))[claim] == NOT_REPRODUCED


def test_without_rivals_or_without_headrank_nothing_is_judged() -> None:
    for values, reason in (
        ({"headrank": (1.0,), "bm25": (0.1,)}, "no decoding-free method"),
        ({"core": (1.0,)}, "HeadRank was not evaluated on all of b0"),
        ({"core": (1.0, 1.0), "headrank": (1.0, float("nan"))}, "HeadRank was not evaluated on all of b0"),
    ):
        for claim in ("highest-mean", "most-benchmarks"):
            finding = found(with_values(values))[claim]
            assert finding.met is None
            assert finding.reason.startswith(reason)
            assert verdicts(with_values(values))[claim] == NOT_RUN


def test_what_did_not_run_has_no_verdict() -> None:
    assert verdicts(changed(costs=costs(methods=["headrank"])))["operations"] == NOT_RUN
    assert verdicts(changed(calls={}), "Qwen/Qwen3-0.6B")["formatting"] == NOT_RUN
    bare = {name: zone((0, 0, 5, 1)) for name in FOURTEEN}
    unjudged = verdicts(changed(trained=bare, untrained=bare))
    assert unjudged["selectivity-gap"] == unjudged["gap-widened"] == NOT_RUN
    nothing = {name: zone() for name in FOURTEEN}
    unjudged = verdicts(changed(trained=nothing, untrained=nothing))
    assert unjudged["selectivity-gap"] == unjudged["gap-widened"] == NOT_RUN


def test_the_gap_is_pooled_over_the_documents_of_all_benchmarks() -> None:
    uneven = {"b0": zone((2, 2, 4, 0)), "b1": zone((8, 2, 6, 5), (0, 0, 10, 0))}
    finding = found(changed(trained=uneven, untrained=uneven), ["b0", "b1"])["selectivity-gap"]
    assert (finding.ours, finding.theirs) == pytest.approx((4 / 10, 5 / 20))
    assert finding.measured == pytest.approx(0.15)
    widened = found(GOOD)["gap-widened"]
    assert widened.ours == pytest.approx(5 / 7 - 1 / 10)
    assert widened.theirs == pytest.approx(2 / 7 - 3 / 10)
    assert widened.measured == pytest.approx(widened.ours - widened.theirs)
    published = PROMOTED_RELEVANT - PROMOTED_IRRELEVANT
    assert BY_NAME["selectivity-gap"].published == f"{100 * published:.1f} (57.4 − 14.2)"


def test_zones_of_different_queries_are_refused() -> None:
    other = {name: frame.rename(index={"q0": "q9"}) for name, frame in GOOD.untrained.items()}
    with pytest.raises(InputError, match="b0: the middle zones of headrank and headrank-untrained differ"):
        found(changed(untrained=other))


def test_answers_on_part_of_the_queries_are_partial_evidence() -> None:
    finding = found(changed(calls={"b0": answers(True, False)}))["formatting"]
    assert (finding.met, finding.partial, finding.reason) == (True, True, "RankGPT on 2 of 28 queries")
    assert (finding.ours, finding.theirs, finding.measured) == (1.0, 0.5, 0.5)
    assert verdicts(changed(calls={"b0": answers(True, False)}), "Qwen/Qwen3-0.6B")["formatting"] == HOLDS


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"model": ""}, "not the paper's weights"),
        ({"model": "Qwen/Qwen3-8B"}, "Qwen/Qwen3-8B is not a model of the paper"),
        ({"queries": 53}, "53 instead of 211 training queries"),
        ({"synthetic": True}, "synthetic collections"),
        ({"depth": 100}, "100 instead of 40 candidates"),
        ({"metric": "nDCG@5"}, "nDCG@5 instead of nDCG@10"),
    ],
)
def test_only_the_papers_conditions_reproduce_or_refute_it(changes: dict[str, object], fault: str) -> None:
    paper = {"model": PAPER, "queries": 211, "synthetic": False, "depth": 40, "metric": "nDCG@10"}
    assert standing(**paper) == []  # type: ignore[arg-type]
    faults = standing(**paper | changes)  # type: ignore[arg-type]
    assert faults == [fault]
    of = changed(queries=changes.get("queries", 211))
    met = verdicts(of, str(changes.get("model", PAPER)), faults)
    # On how many queries it was trained is a claim of its own, which may be refuted under all other conditions.
    assert met.pop("training-queries") == (NOT_REPRODUCED if "queries" in changes else HOLDS)
    assert set(met.values()) == {HOLDS}
    lost = verdicts(with_values(LOSES), str(changes.get("model", PAPER)), faults)
    assert lost["highest-mean"] == lost["most-benchmarks"] == DOES_NOT_HOLD


def test_means_over_other_than_fourteen_benchmarks_reproduce_nothing() -> None:
    panels = {"mean": FOURTEEN[:13], "core14": FOURTEEN}
    rows = claim_rows("qwen", PAPER, findings(GOOD, panels, SETTINGS), panels, [])
    by_panel = {(row["claim"], row["panel"]): (row["verdict"], row["reason"]) for row in rows}
    for claim in CLAIMS:
        if claim.averaged:
            assert by_panel[claim.name, "mean"] == (HOLDS, "13 benchmarks instead of 14")
            assert by_panel[claim.name, "core14"] == (REPRODUCED, "")


def test_models_of_the_paper_that_are_absent_are_named() -> None:
    rows = {str(row["claim"]): row for row in rows_not_run(["", "Qwen/Qwen3-0.6B"])}
    assert set(rows) == set(BY_NAME) - {"formatting"}
    assert rows["highest-mean"]["reason"] == "no backbone is Qwen/Qwen3-1.7B, Qwen/Qwen3-4B"
    assert rows["selectivity-gap"]["reason"] == "no backbone is Qwen/Qwen3-4B"
    assert {row["verdict"] for row in rows.values()} == {NOT_RUN}
    assert rows_not_run(PAPER_MODELS) == []


def test_partial_evidence_decides_against_a_claim_alone() -> None:
    assert verdict(Finding(True, partial=True), True) == HOLDS
    assert verdict(Finding(False, partial=True), True) == NOT_REPRODUCED
    assert verdict(Finding(None), True) == NOT_RUN


def test_intervals_hold_what_was_measured_and_shrink_with_more_queries() -> None:
    generator = np.random.default_rng(0)

    def study(queries: int) -> Measurements:
        ours = np.clip(generator.normal(0.6, 0.2, (14, queries)), 0, 1)
        theirs = np.clip(generator.normal(0.55, 0.2, (14, queries)), 0, 1)
        relevant = generator.binomial(4, 0.5, (14, queries))
        wrong, before = generator.binomial(8, 0.2, (2, 14, queries))
        return changed(
            values={b: table_of({"headrank": ours[n], "core": theirs[n]}) for n, b in enumerate(FOURTEEN)},
            trained={
                b: zone(*((4, r, 8, w) for r, w in zip(relevant[n], wrong[n], strict=True)))
                for n, b in enumerate(FOURTEEN)
            },
            untrained={
                b: zone(*((4, r, 8, w) for r, w in zip(before[n] // 2, wrong[n], strict=True)))
                for n, b in enumerate(FOURTEEN)
            },
        )

    few, many = found(study(20)), found(study(400))
    for claim in ("highest-mean", "most-benchmarks", "selectivity-gap", "gap-widened", "formatting"):
        for finding in (few[claim], many[claim]):
            assert finding.low <= finding.measured <= finding.high, claim
    for claim in ("highest-mean", "selectivity-gap", "gap-widened"):
        assert few[claim].low < few[claim].measured < few[claim].high
        ratio = (few[claim].high - few[claim].low) / (many[claim].high - many[claim].low)
        assert 3 < ratio < 6, claim  # the square root of 20


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """A gap of 0.5 - 0.25 in 40 queries, drawn anew 200 times."""
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        counts = zip(generator.binomial(3, 0.5, 40), generator.binomial(10, 0.25, 40), strict=True)
        of = changed(trained={"b0": zone(*((3, r, 10, w) for r, w in counts))})
        finding = next(f for c, _, f in findings(of, {"mean": ["b0"]}, SETTINGS) if c == "selectivity-gap")
        covered += finding.low <= 0.25 <= finding.high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_bootstrap_of_sums_is_that_of_means() -> None:
    generator = np.random.default_rng(2)
    strata = [generator.normal(0.1, 1, (n, 1)) for n in (30, 5)]
    settings = Resampling(n_resamples=20_000, seed=1)
    sums = drawn_sums(strata, settings)
    assert sums.shape == (20_000, 2, 1)
    means = (sums[..., 0] / [30, 5]).mean(axis=1)
    expected = bootstrap_interval([values[:, 0] for values in strata], settings)
    assert percentile_interval(means, settings) == pytest.approx(expected, abs=0.02)
    assert (drawn_sums(strata, settings) == sums).all()
    assert (drawn_sums(strata, dataclasses.replace(settings, seed=2)) != sums).any()
    assert percentile_interval([np.nan, *range(1, 101)], Resampling(alpha=0.1)) == (5, 95)
    with pytest.raises(InputError, match="without queries"):
        drawn_sums([np.empty((0, 2))])


def frame(model: str = "", faults: Sequence[str] = ("not the paper's weights",)) -> pd.DataFrame:
    panels = {"mean": FOURTEEN, "core14": FOURTEEN[::-1]}
    rows = claim_rows("small-one", model, findings(GOOD, panels, SETTINGS), panels, faults)
    return claims_frame([*rows_not_run([model]), *rows])


def test_the_table_of_a_stand_in_cannot_be_read_as_a_reproduction() -> None:
    claims = frame()
    assert list(claims) == COLUMNS
    table = claims_table(claims)
    printed = table.formatted()
    assert set(printed["verdict"]) == {NOT_RUN, HOLDS}
    own = printed[printed["backbone"] == "Small one (not the paper's model)"]
    assert len(own) == 12
    assert set(own["verdict"]) == {HOLDS}
    above = printed.iloc[: len(CLAIMS)]
    assert set(above["backbone"]) == {"The paper's Qwen3 (not run)"}
    assert set(own["published"]) == set(own["source"]) == {"–"}
    assert above["published"].tolist() == [claim.published or "–" for claim in CLAIMS]
    assert above["source"].tolist() == [claim.source for claim in CLAIMS]
    assert set(above["verdict"]) == {NOT_RUN}
    assert "Small one: not the paper's weights." in table.caption
    assert "it is no reproduction" in table.caption


def test_the_table_prints_each_claim_in_its_unit() -> None:
    table = claims_table(frame())
    rows = {(r["claim"], r["panel"]): r for r in table.formatted().iloc[len(CLAIMS) :].to_dict("records")}
    mean = rows["C1 Highest mean nDCG@10", "all 14"]
    assert (mean["measured"], mean["evidence"]) == ("+0.050", "HeadRank 0.700, RankGPT 0.650")
    won = rows["C2 Highest on most benchmarks", "CoRe 14"]
    assert (won["measured"], won["evidence"]) == ("14", "14 of 14 benchmarks")
    gap = rows["C3 Gap of 30 points or more", "all 14"]
    assert gap["measured"] == "+61.4"
    assert gap["evidence"] == "promoted: 71.4 % of relevant, 10.0 % of irrelevant"
    assert rows["C3 Training widens the gap", "all 14"]["evidence"] == "gap 61.4, untrained −1.4 points"
    assert rows["C4 Pass ends before the last layer", "–"]["measured"] == "75.0"
    cost = rows["C4 Fewer multiply-adds than ICR", "–"]
    assert (cost["measured"], cost["low"]) == ("50.0", "–")
    assert cost["evidence"] == "HeadRank 60.0 %, ICR 120.0 % of a full pass"
    assert rows["C5 Sound format, RankGPT's not", "–"]["evidence"] == "HeadRank 100.0 %, RankGPT 50.0 %"
    assert rows["C6 Trained on 211 queries", "–"]["measured"] == "211"


def test_the_files_of_the_table_hold_identifiers_and_break_long_texts() -> None:
    table = claims_table(frame())
    csv = to_csv(table).splitlines()
    assert csv[0] == "backbone,claim,panel,published,source,measured,low,high,verdict,evidence"
    assert csv[1].startswith(",highest-mean,,at each scale,")
    assert csv[-1].startswith("small-one,training-queries,,,,211,,,holds,")
    text = to_latex(table)
    assert r"\textit{Small one (not the paper's model)}" in text
    assert r"& holds & promoted: 71.4 \% of relevant, 10.0 \% of irrelevant \\" in text
    assert text.count(r">{\raggedright\arraybackslash}p{") == 5
    assert text.startswith(r"% needs \usepackage{booktabs} and array")
    assert "(57.4 $-$ 14.2)" in text
    assert "nDCG@10" in to_markdown(table)


def test_the_table_refuses_unknown_and_repeated_claims() -> None:
    claims = frame()
    with pytest.raises(InputError, match="no claim is named better"):
        claims_table(claims.assign(claim="better").iloc[[0]])
    with pytest.raises(InputError, match="more than one row for backbone=, claim=highest-mean"):
        claims_table(pd.concat([claims, claims]))
    with pytest.raises(InputError, match="no rows for large; it has small-one"):
        claims_table(claims, backbones=["large"])


def test_the_papers_own_model_stands_beside_the_published_figures() -> None:
    table = claims_table(frame(PAPER, []))
    own = table.formatted()
    own = own[own["backbone"] == "Small one"]
    assert set(own["verdict"]) == {REPRODUCED}
    assert set(own.loc[own["claim"].str.startswith("C3 Gap"), "published"]) == {"43.2 (57.4 − 14.2)"}
    other = claims_table(frame(PAPER, ["53 instead of 211 training queries"])).formatted()
    assert "Small one (not the paper's conditions)" in set(other["backbone"])
