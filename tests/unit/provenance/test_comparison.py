"""Two results folders compared: the same, the same from elsewhere, and every kind of difference told in its terms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folders import change_provenance, configuration, metrics, ranking, results_folder
from safetensors.numpy import save_file

from headrank.cli import main
from headrank.data.trec import write_run
from headrank.heads.head_set import HeadSet
from headrank.provenance import read_provenance
from headrank.provenance.comparison import compare_folders, lines_of
from headrank.provenance.comparison.artefacts import frame_difference, metric_difference
from headrank.provenance.comparison.origins import ABSENT, Difference, differences


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return results_folder(tmp_path / "one"), results_folder(tmp_path / "two")


def told(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    code = main(["diff", *map(str, pair), *more])
    return code, capsys.readouterr().out


def test_the_same_results_are_the_same(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(pair, capsys)
    assert code == 0
    assert text.splitlines()[3].startswith("The results are the same")


def test_machine_time_and_sidecars_do_not_count(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine = read_provenance(pair[1])["machine"] | {"memory_gib": 1234}
    change_provenance(pair[1], machine=machine, time={"rules": {}, "job_seconds": 99.0}, written="later")
    (pair[1] / "tables" / "timing.csv").write_text("rule,total_s\ntrain,4.5\n", encoding="utf-8")
    (pair[1] / "adapters" / "small" / "headrank" / "steps.csv").write_text(
        "step,seconds\n1,2.6\n", encoding="utf-8"
    )
    (pair[1] / "runs" / "small" / "own" / "icr.trec.yaml").write_text("ram: 1 GB\n", encoding="utf-8")
    (pair[1] / "benchmarks" / "manifest.tsv").unlink()
    code, text = told(pair, capsys)
    assert code == 0
    assert "which do not count" in text
    assert "-> 1234" in text
    assert "job_seconds: 3.5 -> 99.0" in text


def test_the_same_results_of_another_version_are_the_same_and_the_version_is_told(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code = read_provenance(pair[1])["code"] | {"commit": "f" * 40}
    change_provenance(pair[1], code=code)
    status, text = told(pair, capsys)
    assert status == 0
    assert " -> ffffffffffff\n" in text


def test_causes_come_before_effects(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    told_of = read_provenance(pair[1])
    values = configuration(seed=5, headrank={"candidates": {"depth": 20}, "training": {"seed": 7}})
    told_of["models"]["small"]["sha256"] = "a" * 64
    told_of["collections"]["own"]["sha256"]["qrels.trec"] = "b" * 64
    told_of["software"]["packages"]["torch"] = "9.9"
    told_of["configuration"] = {"sha256": "c" * 64, "values": values}
    change_provenance(pair[1], **told_of)
    write_run(pair[1] / "runs" / "small" / "own" / "icr.trec", reversed_for("q2"), "icr")
    status, text = told(pair, capsys)
    assert status == 1
    lines = [line.strip() for line in text.splitlines()]
    for line in ("seed: 4 -> 5", "headrank.candidates.depth: 40 -> 20"):
        assert line in lines
    assert any(line.startswith("small.sha256: ") and line.endswith(" -> aaaaaaaaaaaa") for line in lines)
    assert any(line.startswith("own.sha256.qrels.trec: ") for line in lines)
    assert any(line.startswith("packages.torch: ") and line.endswith("-> 9.9") for line in lines)
    titles = [
        "The results differ",
        "Configuration",
        "Models",
        "Collections",
        "Software",
        "What differs",
        "Runs",
    ]
    places = [next(i for i, line in enumerate(lines) if line.startswith(title)) for title in titles]
    assert places == sorted(places)
    assert "runs/small/own/icr.trec: 1 of 3 rankings have another order" in lines


def reversed_for(qid: str) -> dict[str, list[tuple[str, float]]]:
    run = ranking()
    run[qid] = [("c", 3.0), ("b", 2.0), ("a", 1.0)]
    return run


def test_metrics_say_how_many_queries_differ_and_by_how_much(pair: tuple[Path, Path]) -> None:
    changed = metrics(0.5)
    changed.loc[changed["method"] == "headrank", "value"] = [0.5, 0.8, 0.4]
    path = pair[1] / "metrics" / "main.parquet"
    # The order of rows is no difference: rankings are matched by their names.
    changed.iloc[::-1].to_parquet(path, index=False)
    what = metric_difference(pair[0] / "metrics" / "main.parquet", path)
    assert what == (
        "nDCG@10 differs in 2 of 6 rankings (2 queries); mean difference +0.033333 (second - first),"
        " largest 0.300000"
    )
    changed[changed["qid"] != "q1"].to_parquet(path, index=False)
    assert metric_difference(pair[0] / "metrics" / "main.parquet", path).startswith(
        "2 values only in the first; nDCG@10 differs in 2 of 4"
    )


def test_tables_say_the_largest_difference(pair: tuple[Path, Path]) -> None:
    frame = pd.DataFrame({"method": ["bm25", "headrank"], "own": [0.5, 0.625]})
    frame.to_csv(pair[1] / "tables" / "main.csv", index=False)
    found = compare_folders(*pair)
    assert found.differing["tables"] == [
        ("tables/main.csv", "1 numbers differ, the largest difference is 0.125 (column own)")
    ]
    assert found.counts["tables"] == 1


def test_frames_tell_numbers_texts_columns_and_gaps_apart() -> None:
    one = pd.DataFrame({"m": ["a", "b"], "x": [1.0, np.nan]})
    assert frame_difference(one, one.iloc[:1]) == "2 rows against 1"
    assert frame_difference(one, one.assign(x=[1.0, 2.0])) == (
        "1 numbers differ, the largest difference is a number against none (column x)"
    )
    assert frame_difference(one, one.assign(m=["a", "c"])) == "1 cells of text differ"
    assert frame_difference(one, one[["m"]]) == "columns x only in the first"
    assert frame_difference(one, one.copy()) == "equal values, written differently"


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"q1": [("a", 3.0), ("b", 2.0), ("c", 1.0)]}, "2 queries only in the first"),
        (
            {q: [("a", 9.0), ("b", 2.0), ("c", 1.0)] for q in ("q1", "q2", "q3")},
            "same order of all 3 rankings, scores differ",
        ),
        ({q: [("b", 9.0), ("a", 2.0)] for q in ("q1", "q2", "q3")}, "3 of 3 rankings have another order"),
    ],
)
def test_runs_say_how_many_rankings_differ(
    pair: tuple[Path, Path], run: dict[str, list[tuple[str, float]]], expected: str
) -> None:
    write_run(pair[1] / "runs" / "small" / "own" / "headrank.trec", run, "headrank")
    assert compare_folders(*pair).differing["runs"] == [("runs/small/own/headrank.trec", expected)]


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        (((1, 0), (3, 3)), "only in the first: 2-3; only in the second: 3-3"),
        (((1, 0),), "only in the first: 2-3"),
        (((2, 3), (1, 0)), "same heads in another order; statistics differ"),
    ],
)
def test_head_sets_say_which_heads_differ(
    pair: tuple[Path, Path], heads: tuple[tuple[int, int], ...], expected: str
) -> None:
    other = HeadSet("headrank", "small", 4, 4, heads, (0.9, 0.5)[: len(heads)])
    other.save(pair[1] / "heads" / "small" / "headrank.json")
    assert compare_folders(*pair).differing["heads"] == [("heads/small/headrank.json", expected)]


def test_weights_and_files_on_one_side_are_named(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    save_file({"w": np.zeros(64, dtype=np.float32)}, pair[1] / "backbones" / "small" / "model.safetensors")
    (pair[0] / "tables" / "extra.csv").touch()
    for number in range(12):
        (pair[1] / "tables" / f"new-{number:02}.md").touch()
    code, text = told(pair, capsys)
    assert code == 1
    assert "    backbones/: 1\n" in text
    assert "Only in the first, 1 files\n    tables/extra.csv\n" in text
    assert "    ... and 2 more (--all shows them)\n" in text
    assert "new-11.md" not in text
    code, text = told(pair, capsys, "--all")
    assert "new-11.md" in text
    assert "    backbones/small/model.safetensors\n" in text


def test_lines_never_hold_a_whole_configuration(pair: tuple[Path, Path]) -> None:
    values = configuration(variants={"x" * 90: {"a": list(range(200))}})
    change_provenance(pair[1], configuration={"sha256": "c" * 64, "values": values})
    assert max(len(line) for line in lines_of(compare_folders(*pair)) if line.startswith("    ")) < 300


def test_dotted_keys_with_both_values() -> None:
    one = {"a": {"b": 1, "c": [1, 2]}, "d": True, "gone": {"x": 1}}
    other = {"a": {"b": 2, "c": [1, 3]}, "d": 1, "new": None}
    assert list(differences(one, other)) == [
        Difference("a.b", 1, 2),
        Difference("a.c", [1, 2], [1, 3]),
        Difference("d", True, 1),
        Difference("gone", {"x": 1}, ABSENT),
        Difference("new", ABSENT, None),
    ]


def test_bad_input_is_one_line_and_the_status_of_its_kind(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(one: Path, other: Path) -> str:
        assert main(["diff", str(one), str(other)]) in (3, 4, 5)
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        return lines[0]

    assert "provenance.json: no readable provenance" in refused(pair[0], tmp_path / "nowhere")
    (pair[1] / "tables" / "main.csv").write_bytes(b"")
    assert "tables/main.csv: no readable table" in refused(*pair)
    (pair[1] / "metrics" / "main.parquet").write_bytes(b"PAR1")
    assert "main.parquet: no readable table" in refused(*pair)
    (pair[1] / "provenance.json").write_text(json.dumps({"schema": 99}), encoding="utf-8")
    assert "not a provenance record of schema 1" in refused(*pair)
    (pair[1] / "provenance.json").write_text('{"schema": 1, "code": {}}', encoding="utf-8")
    assert "the provenance lacks collections, configuration" in refused(*pair)


def test_help_says_what_the_exit_status_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["diff", "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "0 when the results are the same, 1 when they differ, from 2 on an error" in text
