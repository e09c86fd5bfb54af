"""What a study records of itself: manifest, jobs' records, leakage, provenance; tables that are compared; calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bad_files import (
    DATA,
    NOT_FOUND,
    PROPERTY,
    SCRATCH,
    Bad,
    any_json,
    cases,
    changed,
    cut,
    damaged,
    read_or_refused,
    refused_by_command,
    refused_by_reader,
    replaced,
    spoilt,
    with_keys,
    zipped,
)
from folders import results_folder
from hypothesis import given
from hypothesis import strategies as st

from headrank.cli import main
from headrank.data.frames import read_parquet
from headrank.data.leakage import Leak, read_leaks, write_leaks
from headrank.errors import InputError, PrerequisiteError
from headrank.generative.calls import CALL_COLUMNS, read_calls, write_calls
from headrank.jobs.plan import PLAN
from headrank.jobs.records import FOLDER, Records
from headrank.provenance import NAME as PROVENANCE
from headrank.provenance import read_provenance
from headrank.provenance.manifest import NAME as MANIFEST
from headrank.provenance.manifest import read_manifest

DIGEST = "0" * 64
MADE = {"inputs": ["a"], "outputs": ["tables/main.csv"], "files": {"tables/main.csv": DIGEST}, "ended": 7}
LEAK = Leak("training", "c", "q", "oak", "b", "t", "oak", "same text", 1.0)
CALLS = pd.DataFrame([dict.fromkeys(CALL_COLUMNS, 1)] * 2, columns=CALL_COLUMNS)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return results_folder(tmp_path / "study")


LINE = f"{DIGEST}  heads/small/headrank.json\n"


@cases(
    Bad("empty", "", "the manifest is empty"),
    Bad("blanks", "\n", ":1: expected a SHA-256 digest, two blanks and a path"),
    Bad("a short digest", f"{'0' * 63}  a\n", ":1: expected a SHA-256 digest"),
    Bad("another digest", f"{'z' * 64}  a\n", ":1: expected a SHA-256 digest"),
    Bad("a capital digest", f"{'A' * 64}  a\n", ":1: expected a SHA-256 digest"),
    Bad("no path", f"{DIGEST}\n", ":1: expected a SHA-256 digest"),
    Bad("one blank", f"{LINE}{DIGEST} a\n", ":2: expected a SHA-256 digest"),
    Bad("a path that leads out", f"{LINE}{DIGEST}  ../x\n", ":2: ../x leaves the folder of the manifest"),
    Bad("a path from the root", f"{LINE}{DIGEST}  /etc/passwd\n", ":2: /etc/passwd leaves the folder"),
    Bad("a path twice", f"{LINE}{LINE}", ":2: heads/small/headrank.json is listed twice"),
    Bad("cut in a line", cut(0.5), ":\\d+: expected a SHA-256 digest|leaves|the folder|not as"),
    Bad("Latin-1", f"{DIGEST}  caf".encode() + b"\xe9\n", ":1: not UTF-8 text"),
    Bad("JSON", "{}", ":1: expected a SHA-256 digest"),
)  # fmt: skip
def test_a_bad_manifest_is_refused(bad: Bad, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoilt(study / MANIFEST, bad)
    # What is cut in its path alone lists a file that is not there, which `headrank check` tells of the folder.
    named = study if bad.name == "cut in a line" else path
    refused_by_command(capsys, ("check", study), named, study, bad)


@cases(
    Bad("the folder", "", "no such folder", NOT_FOUND),
    Bad("the manifest", "", "manifest.sha256: no such file", NOT_FOUND),
)
def test_what_is_not_there_to_check(bad: Bad, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study / MANIFEST).unlink()
    folder = study if bad.name == "the manifest" else study / "none"
    refused_by_command(capsys, ("check", folder), folder, study, bad)


@cases(
    Bad("an empty file", "", "not as manifest.sha256 lists it \\(1 changed"),
    Bad("one byte", replaced("1", "2"), "not as manifest.sha256 lists it \\(1 changed"),
)
def test_a_changed_file_is_found(bad: Bad, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoilt(study / "runs" / "small" / "own" / "icr.trec", bad)
    before = capsys.readouterr()
    assert before.err == ""
    assert main(["check", str(study)]) == DATA
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "1 changed" in told[0] or "changed" in told[0]


RECORD = "no readable job's record"


@cases(
    *any_json(RECORD),
    Bad("no outputs", with_keys(outputs=...), f"{RECORD} \\(record.outputs: missing"),
    Bad("inputs as a text", with_keys(inputs="a"), f"{RECORD} \\(record.inputs: expected a list"),
    Bad("a number for an output", with_keys(outputs=[1]), f"{RECORD} \\(record.outputs: expected str"),
    Bad("files as a list", with_keys(files=["a"]), f"{RECORD} \\(record.files: expected a mapping"),
    Bad("a number for a digest", with_keys(files={"a": 1}), f"{RECORD} \\(record.files.a: expected str"),
    Bad("a time in words", with_keys(ended="now"), f"{RECORD} \\(record.ended: expected int"),
    Bad("a time before all", with_keys(ended=-1), f"{RECORD} \\(record.ended: expected at least 0"),
    Bad("an unknown key", with_keys(extra=1), f"{RECORD} \\(record.extra: unknown key"),
    Bad("a key with a line end", with_keys(**{"a\nb": 1}), f"{RECORD} \\(record.'a\\\\nb': unknown key"),
)  # fmt: skip
def test_a_bad_record_of_a_job_is_told(bad: Bad, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study / FOLDER / "table.json"
    path.parent.mkdir()
    path.write_text(json.dumps(MADE), encoding="utf-8")
    spoilt(path, bad)
    # Its job is to be run again; what others recorded stays of use.
    refused_by_reader(unreadable_record, path, bad)
    assert main(["check", str(study)]) == DATA
    told = capsys.readouterr()
    assert f"changed: {FOLDER}/table.json" in told.out.splitlines()
    assert len(told.err.splitlines()) == 1


def unreadable_record(path: Path) -> None:
    for told in Records(path.parent.parent).unreadable.values():
        raise InputError(told)


JOBS = "no readable list of jobs"
STARTED = {"began": 1, "host": "h", "pid": 1, "process": 1}
PLANNED = {"rule": "table", "log": "logs/s/table.log", "outputs": ["tables/main.csv"], "needed": True}


def plan(start: Any, *jobs: Any) -> str:
    return "".join(f"{json.dumps(line)}\n" for line in (start, *jobs))


@cases(
    Bad("empty", "", f"{JOBS} \\(it is empty"),
    Bad("a list for the start", plan([]), f"{JOBS} \\(start: expected a mapping"),
    Bad("no host", plan({k: v for k, v in STARTED.items() if k != "host"}), f"{JOBS} \\(start.host: missing"),
    Bad("a time before all", plan({**STARTED, "began": -1}), f"{JOBS} \\(start.began: expected at least 0"),
    Bad("a number for a job", plan(STARTED, 1), f"{JOBS} \\(job: expected a mapping"),
    Bad("no outputs", plan(STARTED, {"rule": "x", "log": "y", "needed": True}), f"{JOBS} \\(job.outputs: missing"),
    Bad("an unknown key", plan(STARTED, {**PLANNED, "extra": 1}), f"{JOBS} \\(job.extra: unknown key"),
    Bad("cut in a line", plan(STARTED, PLANNED)[:-9], f"{JOBS} \\("),
    Bad("an empty line", f"{plan(STARTED)}\n{plan(PLANNED)}", f"{JOBS} \\("),
    Bad("Latin-1", b'{"host": "caf\xe9"}\n', f"{JOBS} \\(not UTF-8 text"),
)  # fmt: skip
def test_a_bad_list_of_jobs_is_refused(bad: Bad, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study / PLAN
    path.parent.mkdir()
    path.write_text(plan(STARTED, PLANNED), encoding="utf-8")
    spoilt(path, bad)
    refused_by_command(capsys, ("status", study), path, study, bad)


LEAKAGE = "no readable record of leakage"


@cases(
    *any_json(LEAKAGE),
    Bad("no leaks", with_keys(leaks=...), f"{LEAKAGE} \\(leaks: expected a list"),
    Bad("leaks as an object", with_keys(leaks={}), f"{LEAKAGE} \\(leaks: expected a list"),
    Bad("a leak that is a number", with_keys(leaks=[1]), f"{LEAKAGE} \\(leaks: expected a mapping"),
    Bad("a leak without a query", with_keys(leaks=[{"pool": "training"}]), f"{LEAKAGE} \\(leaks.collection: missing"),
    Bad("a similarity in words", lambda whole: whole.replace(b"1.0", b'"all"'), "leaks.similarity: expected a finite"),
    Bad("an unknown action", with_keys(action="ignore"), f"{LEAKAGE} \\(action: expected one of stop"),
    Bad("no action", with_keys(action=...), f"{LEAKAGE} \\(action: expected one of stop"),
)  # fmt: skip
def test_a_bad_record_of_leakage_is_refused(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "leakage.json"
    write_leaks(path, [LEAK], "allow")
    refused_by_reader(read_leaks, spoilt(path, bad), bad)


@cases(
    *any_json("not a provenance record of schema 1"),
    Bad("another schema", with_keys(schema=2), "not a provenance record of schema 1"),
    Bad("no code", with_keys(code=...), "the provenance lacks code"),
    Bad("models as a list", with_keys(models=[]), "the provenance lacks models"),
    Bad("null for the machine", with_keys(machine=None), "the provenance lacks machine"),
    Bad("no times and no collections", with_keys(time=..., collections=...), "the provenance lacks collections, time"),
)  # fmt: skip
def test_bad_provenance_is_refused(
    bad: Bad, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoilt(study / PROVENANCE, bad)
    sound = results_folder(tmp_path / "sound")
    refused_by_command(capsys, ("diff", sound, study), path, tmp_path, bad)


def test_provenance_that_is_not_there(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study / PROVENANCE).unlink()
    bad = Bad("", "", "finish the study first", PrerequisiteError.exit_status)
    refused_by_command(capsys, ("diff", study, study), study / PROVENANCE, tmp_path, bad)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("metrics/main.parquet", Bad("empty", "", "no readable table")),
        ("metrics/main.parquet", Bad("no parquet", "PAR1 and so on PAR1", "no readable table")),
        ("metrics/main.parquet", Bad("cut", cut(0.7), "no readable table")),
        ("metrics/main.parquet", Bad("without its end", lambda whole: whole[:-4], "no readable table")),
        ("metrics/main.parquet", Bad("a wrong length of the footer", lambda whole: whole[:-8] + b"\xff" * 4 + whole[-4:], "no readable table")),
        ("metrics/main.parquet", Bad("zeros", lambda whole: bytes(len(whole)), "no readable table")),
        ("tables/main.csv", Bad("empty", "", "no readable table")),
        ("tables/main.csv", Bad("Latin-1", b"a,b\ncaf\xe9,2\n", "no readable table")),
        ("tables/main.csv", Bad("a row too long", "a,b\n1,2\n1,2,3,4\n", "no readable table .*line 3")),
        ("tables/main.csv", Bad("an open quote", 'a,b\n"1,2\n3', "no readable table")),
        ("heads/small/headrank.json", Bad("cut", cut(0.5), "no readable head set")),
        ("runs/small/own/icr.trec", Bad("cut", cut(0.5), "icr.trec:\\d+: ")),
        ("collections/own/candidates.trec", Bad("emptied", "", "the run is empty")),
    ],
    ids=lambda value: value.name if isinstance(value, Bad) else value,
)  # fmt: skip
def test_a_bad_artefact_is_named_where_studies_are_compared(
    name: str, bad: Bad, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = results_folder(tmp_path / "sound")
    path = spoilt(study / name, bad)
    refused_by_command(capsys, ("diff", sound, study), path, tmp_path, bad)


CALL = "no readable call"


@cases(
    Bad("no JSON", zipped("oak\n"), f":1: {CALL} \\(Expecting value"),
    Bad("a list", zipped("[1]\n"), f":1: {CALL} \\(not a JSON object"),
    Bad("cut in a line", zipped('{"qid": 1}\n{"qi'), f":2: {CALL}"),
    Bad("nested deeply", zipped("[" * 100_000), f":1: {CALL} \\(nested more than 64"),
    Bad("gzip cut", cut(0.7), ": unexpected end of the compressed file"),
    Bad("no gzip but Latin-1", b'{"qid": "\xe9"}', ":1: not UTF-8 text"),
)  # fmt: skip
def test_bad_calls_are_refused(bad: Bad, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl.gz"
    write_calls(path, CALLS)
    refused_by_reader(read_calls, spoilt(path, bad), bad)


@cases(
    Bad("empty", "", "no readable measurement"),
    Bad("no columns of a measurement", "a,b\n1,2\n", "not a measurement of `headrank bench`"),
    Bad("one pass alone", "backbone,method,layers,tokens,operations,seconds\nquick,headrank,2,100,9,1\n", "needs HeadRank's passes"),
    Bad("a backbone that nobody knows", "backbone,method,layers,tokens,operations,seconds\nx,headrank,2,100,9,1\n", "not a measurement .*shape 'x' is unknown"),
    Bad("times in words", "backbone,method,layers,tokens,operations,seconds\nquick,headrank,2,100,9,fast\nquick,headrank,3,200,9,slow\n", "not a measurement"),
    Bad("times of 0", "backbone,method,layers,tokens,operations,seconds\nquick,headrank,2,100,9,0\nquick,headrank,3,200,9,0\n", "not a measurement|give no rates"),
    Bad("layers that are infinite", "backbone,method,layers,tokens,operations,seconds\nquick,headrank,inf,100,9,1\nquick,headrank,3,200,9,2\n", "not a measurement"),
    Bad("Latin-1", b"backbone\n\xe9\n", "no readable measurement"),
    Bad("rows of unequal length", "a,b\n1,2\n1,2,3\n", "no readable measurement .*line 3"),
)  # fmt: skip
def test_bad_rates_are_refused(bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rates.csv"
    path.touch()
    spoilt(path, bad)
    refused_by_command(capsys, ("cost", "--backbone", "quick", "--rates", path), path, tmp_path, bad)


@pytest.mark.parametrize("what", ["a file", "a folder"])
def test_rates_that_are_not_there(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path if what == "a folder" else tmp_path / "none.csv"
    bad = Bad(what, "", "no readable measurement \\((No such file|Is a directory)", NOT_FOUND)
    refused_by_command(capsys, ("cost", "--backbone", "quick", "--rates", path), path, tmp_path, bad)


@cache
def sound(name: str) -> bytes:
    path = SCRATCH / f"sound.{name}"
    if name == "leakage.json":
        write_leaks(path, [LEAK], "allow")
    elif name == "calls.jsonl.gz":
        write_calls(path, CALLS)
    elif name == "table.parquet":
        CALLS.to_parquet(path)
    elif name == "manifest.sha256":
        path.write_text(LINE, encoding="utf-8")
    else:
        path = results_folder(SCRATCH / "whole") / PROVENANCE if name == PROVENANCE else path
        path.write_text(path.read_text() if name == PROVENANCE else json.dumps(MADE), encoding="utf-8")
    return path.read_bytes()


READERS: dict[str, Callable[[Path], Any]] = {
    "leakage.json": read_leaks,
    "calls.jsonl.gz": read_calls,
    "table.parquet": read_parquet,
    "manifest.sha256": read_manifest,
    PROVENANCE: lambda path: read_provenance(path.parent),
    "job.json": lambda path: Records(path.parent.parent),
}


def placed(name: str) -> Path:
    """Where a reader looks for its file."""
    folder = SCRATCH / name.replace(".", "-") / (FOLDER if name == "job.json" else "")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


@pytest.mark.parametrize("name", READERS)
@PROPERTY
@given(st.data())
def test_any_damage_is_read_or_refused(name: str, data: st.DataObject) -> None:
    path = placed(name)
    path.write_bytes(data.draw(damaged(sound(name))))
    read_or_refused(READERS[name], path)


@pytest.mark.parametrize("name", ["leakage.json", PROVENANCE, "job.json"])
@PROPERTY
@given(st.data())
def test_any_other_value_is_read_or_refused(name: str, data: st.DataObject) -> None:
    path = placed(name)
    value = data.draw(changed(json.loads(sound(name))))
    path.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    read_or_refused(READERS[name], path)


@pytest.mark.parametrize("name", [n for n in READERS if n != "table.parquet"])
def test_what_is_sound_is_read(name: str) -> None:
    path = placed(name)
    path.write_bytes(sound(name))
    assert read_or_refused(READERS[name], path) is not None


@PROPERTY
@given(st.data())
def test_studies_with_any_other_provenance_are_compared_or_refused(data: st.DataObject) -> None:
    for side in ("one", "other"):
        folder = SCRATCH / "compared" / side
        folder.mkdir(parents=True, exist_ok=True)
        value = json.loads(sound(PROVENANCE))
        value = data.draw(changed(value)) if side == "other" else value
        (folder / PROVENANCE).write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    assert main(["diff", str(SCRATCH / "compared" / "one"), str(SCRATCH / "compared" / "other")]) in (0, 1, 5)
