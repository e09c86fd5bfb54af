"""One whole mini run: every artefact is there, nothing is made twice, and what is made again is the same."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import configuration, snakemake

from headrank.cli import main
from headrank.data.trec import read_qrels, read_run
from headrank.evaluation.attacks import ATTACKS, UNTOUCHED
from headrank.generative.calls import read_calls
from headrank.heads.head_set import HeadSet

pytestmark = pytest.mark.mini

CONFIG = yaml.safe_load(configuration("mini").read_text(encoding="utf-8"))
BACKBONES, BENCHMARKS = list(CONFIG["backbones"]), CONFIG["panel"]
TABLES = (
    "main",
    "rivals",
    "fused",
    "claims",
    "ablation",
    "selectivity",
    "homogenisation",
    "controls",
    "transfer",
    "format",
    "cost",
    "timing",
    "frontier",
    "injection",
)
FIGURES = (
    *("homogenisation", "selectivity", "heads", "head_maps", "overlap", "routes", "controls", "depth"),
    *("training", "queries", "success", "frontier", "main"),
)
GENERATIVE = CONFIG["generative"]["methods"]
COMPARED = [*CONFIG["methods"], *CONFIG["trained_baselines"], "headrank"]
PER_JOB = CONFIG["adapters_per_job"]
TRAINED = [*CONFIG["trained_baselines"], *CONFIG["variants"], "headrank"]


def table(directory: Path, name: str) -> list[dict[str, str]]:
    with (directory / "results" / "mini" / "tables" / f"{name}.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        return list(csv.DictReader(file))


def test_every_table_and_figure_is_there(mini_run: Path) -> None:
    place = mini_run / "results" / "mini"
    for name in TABLES:
        assert {p.suffix for p in (place / "tables").glob(f"{name}.*")} == {".csv", ".tex", ".md"}
    for name in FIGURES:
        assert (place / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (place / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_every_method_is_timed_by_itself(mini_run: Path) -> None:
    rows = table(mini_run, "frontier")
    aside = CONFIG["clock"]["leave_out"]
    # On part of the queries the generative references have no place beside the others.
    methods = {name for name in COMPARED if name not in aside and not name.endswith("-faithful")}
    for backbone in BACKBONES:
        found = {row["method"]: row for row in rows if row["backbone"] == backbone}
        assert set(found) == methods
        assert all(float(row["seconds"]) > 0 for row in found.values())
        deepest = CONFIG["backbones"][backbone]["planted"]["layers"]
        assert all(1 <= int(row["layers"]) <= deepest for row in found.values())
        assert int(found["icr"]["layers"]) == deepest
    assert "yes" in {row["best"] for row in rows}


def test_attacks_are_counted_for_every_method_that_reads_the_changed_lists(mini_run: Path) -> None:
    rows = table(mini_run, "injection")
    given = CONFIG["injection"]
    asked = [name for name in GENERATIVE if name not in given["leave_out"]]
    for backbone in BACKBONES:
        found = {row["method"]: row for row in rows if row["backbone"] == backbone}
        assert set(found) == {*COMPARED, *asked}
        # As SECURITY.md says.
        assert (float(found["headrank"]["query-words"]), float(found["headrank"][UNTOUCHED])) == (1, 0)
        for row in found.values():
            assert int(row["lists"]) == given["queries"] == 10
            shares = [float(row[attack]) for attack in ATTACKS]
            assert all(0 <= share <= 1 for share in shares)
            added = sum(shares) / len(shares) - float(row[UNTOUCHED])
            assert float(row["added"]) == pytest.approx(added)
            assert float(row["low"]) <= added <= float(row["high"])


def test_a_second_run_has_nothing_to_do(mini_run: Path) -> None:
    done = snakemake("--cores", "1", "--configfile", configuration("mini"), directory=mini_run)
    assert done.code == 0
    assert "Nothing to be done" in done.out


def test_every_ranking_is_a_permutation_of_the_candidates(mini_run: Path) -> None:
    rows = table(mini_run, "format")
    assert len(rows) == len(BACKBONES) * (len(COMPARED) + len(GENERATIVE))
    assert {row["success"] for row in rows} == {"1.0"}
    for row in rows:
        generated = row["method"] in GENERATIVE
        queries = CONFIG["generative"]["queries"] if generated else 40
        assert int(row["queries"]) == queries * len(BENCHMARKS)


@pytest.mark.parametrize("method", ["rankgpt", "setwise"])
def test_formatting_success_is_what_the_kept_answers_say(mini_run: Path, method: str) -> None:
    for row in table(mini_run, "format"):
        if row["method"] != method:
            continue
        runs = mini_run / "results" / "mini" / "runs" / row["backbone"]
        calls = pd.concat([read_calls(runs / b / f"{method}.calls.jsonl.gz") for b in BENCHMARKS])
        assert int(row["calls"]) == len(calls) > 0
        assert float(row["complete"]) == pytest.approx(calls["complete"].mean())
        assert float(row["well_formed"]) == pytest.approx(calls["well_formed"].mean())
        if method == "rankgpt":
            sound = [sorted(map(int, re.findall(r"\[(\d+)\]", a))) for a in calls["answer"]]
            whole = [s == list(range(1, n + 1)) for s, n in zip(sound, calls["documents"], strict=True)]
            assert calls["complete"].tolist() == whole


def test_every_query_is_routed_within_the_candidates(mini_run: Path) -> None:
    routes = pd.read_parquet(mini_run / "results" / "mini" / "metrics" / "routes.parquet")
    for backbone in BACKBONES:
        candidates = HeadSet.load(mini_run / "results" / "mini" / "heads" / backbone / "routehead.json")
        mine = routes[routes["backbone"] == backbone]
        assert set(zip(mine["layer"], mine["head"], strict=True)) <= set(candidates.heads)
        assert len(mine.groupby(["benchmark", "qid"])) == 40 * len(BENCHMARKS)


def test_the_main_table_covers_every_method_backbone_and_benchmark(mini_run: Path) -> None:
    rows = table(mini_run, "main")
    methods = set(COMPARED)
    for backbone in BACKBONES:
        assert {row["method"] for row in rows if row["backbone"] == backbone} == methods
    # The first stage, and the candidates at random and at best.
    assert len(rows) == 3 + len(BACKBONES) * len(methods)
    assert all(0 < float(row[benchmark]) < 1 for row in rows for benchmark in BENCHMARKS)


def test_fused_rankings_are_those_of_the_reciprocal_ranks(mini_run: Path) -> None:
    place, backbone, benchmark = mini_run / "results" / "mini", BACKBONES[0], BENCHMARKS[0]
    first = read_run(place / "collections" / benchmark / "candidates.trec")
    own = read_run(place / "runs" / backbone / benchmark / "headrank.trec")
    grades = read_qrels(place / "collections" / benchmark / "qrels.trec")
    values = []
    for qid, known in grades.items():
        ranks = [[docid for docid, _ in run[qid]] for run in (first, own)]
        sums = {d: sum(1 / (61 + order.index(d)) for order in ranks) for d in ranks[0]}
        best = sorted(sums, key=lambda d: (-sums[d], ranks[0].index(d)))[:10]
        ideal = sorted(known.values(), reverse=True)[:10]
        gain, most = (
            sum(max(g, 0) / math.log2(i + 2) for i, g in enumerate(gains))
            for gains in ([known.get(d, 0) for d in best], ideal)
        )
        values.append(gain / most if most else 0.0)
    (row,) = [r for r in table(mini_run, "fused") if (r["backbone"], r["method"]) == (backbone, "headrank")]
    assert float(row[benchmark]) == pytest.approx(sum(values) / len(values), abs=1e-6)


def test_every_job_is_timed(mini_run: Path) -> None:
    rows = {row["rule"]: row for row in table(mini_run, "timing")}
    # Each backbone's own adapters, and those of the ablation, three a job.
    shared = math.ceil((1 + len(CONFIG["trained_baselines"])) / PER_JOB)
    jobs = len(BACKBONES) * shared + math.ceil(len(CONFIG["variants"]) / PER_JOB)
    assert int(rows["train"]["jobs"]) == int(rows["rerank"]["jobs"]) == jobs
    assert int(rows["frozen"]["jobs"]) == len(BACKBONES)
    assert all(float(row["total_s"]) > 0 for row in rows.values())


def test_logs_hold_no_traceback_and_no_redrawn_lines(mini_run: Path) -> None:
    logs = list((mini_run / "logs").rglob("*.log"))
    assert len(logs) > 80
    for log in logs:
        text = log.read_text(encoding="utf-8")
        assert "\r" not in text, log
        assert "Traceback" not in text, log


@pytest.mark.parametrize("backbone", BACKBONES)
def test_training_leaves_the_frozen_methods_and_the_candidates_alone(mini_run: Path, backbone: str) -> None:
    for benchmark in BENCHMARKS:
        place = mini_run / "results" / "mini"
        first = read_run(place / "collections" / benchmark / "candidates.trec")
        for run in (place / "runs" / backbone / benchmark).glob("*.trec"):
            for qid, ranked in read_run(run).items():
                assert {docid for docid, _ in ranked} == {docid for docid, _ in first[qid]}, (run, qid)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_adapter_carries_the_heads_that_were_selected(mini_run: Path, backbone: str) -> None:
    place = mini_run / "results" / "mini"
    selected = HeadSet.load(place / "heads" / backbone / "headrank.json")
    assert HeadSet.load(place / "adapters" / backbone / "headrank" / "heads.json") == selected
    curve = pd.read_csv(place / "adapters" / backbone / "headrank" / "curve.csv")
    assert set(curve["split"]) == {"train", "heldout"}


def files(directory: Path, *patterns: str) -> dict[str, bytes]:
    """Contents by name; measured times are left aside, as they differ from run to run."""
    place = directory / "results" / "mini"
    return {
        str(path.relative_to(place)): path.read_bytes()
        for pattern in patterns
        for path in sorted(place.glob(pattern))
        if path.stem not in ("timing", "frontier")
    }


def test_artefacts_made_again_are_byte_identical(mini_run: Path) -> None:
    """Everything behind the small backbone's rows is built anew, from its weights to all tables and figures."""
    kept = ("tables/*", "figures/*", "runs/small/*/*.trec", "heads/small/*", "adapters/small/*/curve.csv")
    kept = (*kept, "backbones/small/*.safetensors", "features/small/*.safetensors")
    kept = (*kept, "routers/small/*", "runs/small/*/*.jsonl.gz", "runs/*/*/*.trec.yaml")
    before = files(mini_run, *kept)
    assert len(before) > 30
    forced = "results/mini/backbones/small"
    arguments = ("--cores", "all", "--forcerun", forced, "--configfile", configuration("mini"))
    done = snakemake(*arguments, directory=mini_run)
    assert done.code == 0, done.err[-2000:]
    variants = len(CONFIG["variants"])
    assert done.jobs["train"] == math.ceil((len(TRAINED) - variants) / PER_JOB) + math.ceil(
        variants / PER_JOB
    )
    assert files(mini_run, *kept) == before


def test_a_touched_table_is_made_again_alone(mini_run: Path) -> None:
    target = "results/mini/figures/selectivity.pdf"
    (mini_run / target).unlink()
    arguments = (target, "--configfile", configuration("mini"))
    done = snakemake("-n", *arguments, directory=mini_run)
    assert done.jobs == {"figure": 1, "total": 1}
    assert snakemake("--cores", "1", *arguments, directory=mini_run).code == 0


def test_a_changed_setting_reruns_only_what_depends_on_it(mini_run: Path, tmp_path: Path) -> None:
    config = {**CONFIG, "evaluation": {**CONFIG.get("evaluation", {}), "resamples": 500}}
    path = tmp_path / "mini.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    done = snakemake("-n", "--configfile", path, directory=mini_run)
    resampled = {"significance", "selectivity", "depth", "query_curve", "claims"}
    recorded = {"provenance", "sidecars", "manifest"}
    assert recorded < set(done.jobs) <= {*resampled, *recorded, "table", "figure", "all", "total"}
    # Methods against the baseline, fused and alone, ablations, and HeadRank against every method.
    assert done.jobs["significance"] == 4


def test_the_report_holds_every_table_and_figure_and_the_summary(mini_run: Path) -> None:
    # As `make report` does, with the configuration that the study was last started with.
    kept = mini_run / "results" / "mini" / ".made" / "configuration.yaml"
    report = mini_run / "report.html"
    done = snakemake("summary", "--cores", "1", "--configfile", kept, directory=mini_run)
    assert done.code == 0, done.err[-2000:]
    assert done.jobs == {"summary": 1, "total": 1}
    assert snakemake("summary", "--report", report, "--configfile", kept, directory=mini_run).code == 0
    text = report.read_text(encoding="utf-8")
    assert all(f"results/mini/tables/{name}.csv" in text for name in TABLES)
    assert all(f"results/mini/report/{name}.html" in text for name in TABLES)
    assert all(f"results/mini/figures/{name}.png" in text for name in FIGURES)
    assert all(
        f"results/mini/{name}" in text for name in ("provenance.json", "manifest.sha256", "summary.pdf")
    )
    # One file that can be sent: it fetches nothing.
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"'](https?:)?//", text)
    assert (mini_run / "results" / "mini" / "summary.pdf").read_bytes().startswith(b"%PDF")
    # Neither is part of the study.
    assert main(["check", str(mini_run / "results" / "mini")]) == 0


def test_the_status_of_the_whole_study_is_finished(
    mini_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    # The last start of an earlier test asked for a part; jobs that this one finds done count as done.
    (mini_run / "results" / "mini" / "tables" / "main.md").unlink()
    assert snakemake("--cores", "1", "--configfile", configuration("mini"), directory=mini_run).code == 0
    assert main(["status", str(mini_run / "results" / "mini")]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert ": finished" in head
    told = {line.split()[0]: line for line in lines}
    assert f"{len(BACKBONES)}/{len(BACKBONES)}" in told["frozen"]
    for rule in ("first_stage", "select", "mine", "train", "evaluate", "significance", "claims", "manifest"):
        # Rule, jobs and time, and behind them the number that the rule is about.
        assert len(told[rule].split()) > 5, told[rule]
