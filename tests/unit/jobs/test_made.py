"""Records of jobs: what counts as changed, which job makes a file anew, and that a manifest lists what jobs made."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import yaml

from headrank.data.digests import file_digest
from headrank.errors import InputError
from headrank.jobs import made, records
from headrank.jobs.job import job
from headrank.jobs.made import check_inputs, record_job
from headrank.jobs.records import FOLDER, Records
from headrank.jobs.remake import CONFIGURATION, keep_configuration, remake
from headrank.provenance.manifest import advice, check_manifest, read_manifest, write_manifest

ROOT = Path("results/s")


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder, features read from it and two head sets chosen on them, each made by a job."""
    monkeypatch.chdir(tmp_path)
    make("plant", {"backbones/m/config.json": "{}", "backbones/m/w/x": "weights"}, [], ["backbones/m"])
    make("features", {"features/f": "numbers"}, ["data/corpus.jsonl", f"{ROOT}/backbones/m"])
    make("detect", {"heads/a.json": "a", "heads/b.json": "b"}, [f"{ROOT}/features/f"])


def make(log: str, files: dict[str, str], inputs: list[str], outputs: list[str] | None = None) -> None:
    """Run a job that writes these files."""
    outputs = [f"{ROOT}/{name}" for name in outputs or files]
    with job(f"logs/s/{log}.log", inputs=inputs, outputs=outputs):
        for name, text in files.items():
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")


def test_a_job_s_files_are_recorded_with_their_digests_when_it_ends() -> None:
    told = json.loads((ROOT / FOLDER / "plant.json").read_text(encoding="utf-8"))
    assert told["outputs"] == ["backbones/m"]
    assert set(told["files"]) == {"backbones/m/config.json", "backbones/m/w/x"}
    assert told["files"]["backbones/m/w/x"] == file_digest(ROOT / "backbones/m/w/x")
    told = json.loads((ROOT / FOLDER / "features.json").read_text(encoding="utf-8"))
    # What lies outside the results is the user's.
    assert told["inputs"] == ["backbones/m"]


def test_a_job_that_fails_leaves_the_record_as_it_was() -> None:
    before = (ROOT / FOLDER / "features.json").read_bytes()
    (ROOT / "features/f").write_text("half", encoding="utf-8")
    with pytest.raises(SystemExit), job("logs/s/features.log", inputs=[], outputs=[f"{ROOT}/features/f"]):
        raise InputError("no")
    assert (ROOT / FOLDER / "features.json").read_bytes() == before
    assert Records(ROOT).changed(["features/f"]) == ["features/f"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda place: (place / "w/x").write_text("weightz"), "backbones/m/w/x"),
        (lambda place: (place / "config.json").unlink(), "backbones/m/config.json"),
        (lambda place: (place / "tokenizer.json").write_text("{}"), "backbones/m/tokenizer.json"),
    ],
)
def test_a_job_does_not_begin_when_a_folder_it_reads_is_not_as_it_was_made(change, name, capsys) -> None:  # type: ignore[no-untyped-def]
    check_inputs([f"{ROOT}/backbones/m"], [f"{ROOT}/features/f"])
    change(ROOT / "backbones/m")
    with pytest.raises(SystemExit):
        make("features", {"features/f": "others"}, [f"{ROOT}/backbones/m"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {ROOT}/{name}: not as its job made it; make it anew: snakemake ")
    assert line.endswith(f" --force {ROOT}/backbones/m")
    assert (ROOT / "features/f").read_text(encoding="utf-8") == "numbers"


def test_what_went_into_a_study_and_is_gone_is_named_when_the_study_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_manifest(ROOT, ["heads/a.json"])
    assert not caplog.messages
    # As after a kill while the features were read again: the heads that were chosen on them are still there.
    (ROOT / "features/f").unlink()
    write_manifest(ROOT, ["heads/a.json"])
    (line,) = caplog.messages
    assert line.startswith(f"{ROOT}/features/f went into the study and is not there; make anew: snakemake ")
    assert line.endswith(f" --force {ROOT}/features/f")
    assert check_manifest(ROOT).missing == ("features/f",)


def test_files_that_no_job_made_are_not_looked_at() -> None:
    (ROOT / "notes.txt").write_text("mine", encoding="utf-8")
    assert Records(ROOT).changed(["notes.txt", "nowhere"]) == []
    check_inputs(["data/corpus.jsonl", f"{ROOT}/notes.txt"], [f"{ROOT}/features/f"])
    # Without outputs in a results folder there is nothing to compare with.
    check_inputs([f"{ROOT}/features/f"], [])
    record_job("logs/other.log", [], ["elsewhere/file"])


def test_the_newest_of_several_records_of_a_file_counts() -> None:
    """Adapters may be divided among jobs in another way."""
    make("detect-a", {"heads/a.json": "newer"}, [])
    records = Records(ROOT)
    assert records.changed(["heads/a.json", "heads/b.json"]) == []
    assert sorted(records.targets(["heads/a.json", "heads/b.json"])) == ["heads/a.json", "heads/b.json"]


def test_one_target_stands_for_all_files_of_a_job() -> None:
    names = ["heads/b.json", "heads/a.json", "backbones/m/w/x", "backbones/m/new", "stray.txt"]
    assert Records(ROOT).targets(names) == ["heads/b.json", "backbones/m", "stray.txt"]


def test_the_manifest_lists_what_jobs_made_not_what_lies_there() -> None:
    (ROOT / "heads/a.json").write_text("false", encoding="utf-8")
    (ROOT / "features/f").unlink()
    (ROOT / "mine.csv").write_text("0.9", encoding="utf-8")
    (ROOT / "heads/b.json").rename(ROOT / "heads/c.json")
    write_manifest(ROOT, ["heads/a.json"])
    found = check_manifest(ROOT)
    # heads/b.json is of the same job as heads/a.json, which needs the features.
    assert found.changed == ("heads/a.json",)
    assert found.missing == ("features/f", "heads/b.json")
    assert found.extra == ("heads/c.json", "mine.csv")
    told = advice(ROOT, found)
    assert told.startswith("remove what is extra; make anew: snakemake ")
    assert shlex.split(told)[-2:] == [f"{ROOT}/heads/a.json", f"{ROOT}/features/f"]


def test_what_an_earlier_configuration_made_may_be_removed() -> None:
    (ROOT / "heads/a.json").unlink()
    (ROOT / "heads/b.json").unlink()
    write_manifest(ROOT, ["features/f"])
    assert check_manifest(ROOT).sound
    assert set(read_manifest(ROOT / "manifest.sha256")) == {
        *("backbones/m/config.json", "backbones/m/w/x", "features/f")
    }


def test_a_repeated_job_may_differ_in_its_times_alone() -> None:
    files = {f"adapters/m/headrank/{name}": "1" for name in ("steps.csv", "heads.json")}
    make("train", files, [])
    write_manifest(ROOT, files)
    make("train", files | {"adapters/m/headrank/steps.csv": "2"}, [])
    assert check_manifest(ROOT).sound
    (ROOT / "adapters/m/headrank/steps.csv").write_text("3", encoding="utf-8")
    found = check_manifest(ROOT)
    assert found.changed == ("adapters/m/headrank/steps.csv",)
    # Other times will come of it, so the manifest has to be written too.
    assert advice(ROOT, found).endswith(f" {ROOT}/adapters/m/headrank/steps.csv {ROOT}/manifest.sha256")


def test_a_manifest_that_is_gone_or_false_is_what_is_made_anew() -> None:
    with pytest.raises(
        InputError, match=r"no such file.*; make anew: snakemake .* results/s/manifest\.sha256"
    ):
        check_manifest(ROOT)
    write_manifest(ROOT, ["heads/a.json"])
    text = (ROOT / "manifest.sha256").read_text(encoding="utf-8")
    (ROOT / "manifest.sha256").write_text(f"{'0' * 64}{text[64:]}", encoding="utf-8")
    found = check_manifest(ROOT)
    assert found.changed == ("backbones/m/config.json",)
    assert advice(ROOT, found).endswith(f"--force {ROOT}/manifest.sha256")


def test_the_command_has_the_configuration_that_the_study_was_started_with(tmp_path: Path) -> None:
    keep_configuration(ROOT, {"name": "s", "learning_rate": 2.0e-3, "k": [1, None], "ü": "é"})
    kept = yaml.safe_load((ROOT / FOLDER / "configuration.yaml").read_text(encoding="utf-8"))
    assert kept == {"name": "s", "learning_rate": 2.0e-3, "k": [1, None], "ü": "é"}
    place = tmp_path / ROOT / FOLDER / "configuration.yaml"
    command = shlex.split(remake(Records(ROOT), ["features/f"]))
    assert command == [
        *("snakemake", "--cores", "all", "--directory", str(tmp_path), "--configfile", str(place)),
        *("--force", f"{ROOT}/features/f"),
    ]
    # Where the clone is the working directory, paths are short.
    (tmp_path / "Snakefile").touch()
    command = shlex.split(remake(Records(ROOT), ["features/f"]))
    assert command[3:5] == ["--configfile", f"{ROOT}/{FOLDER}/configuration.yaml"]


def test_a_copy_elsewhere_is_to_be_copied_again(tmp_path: Path) -> None:
    write_manifest(ROOT, ["heads/a.json"])
    ROOT.rename(tmp_path / "copy")
    (tmp_path / "copy" / "heads/a.json").unlink()
    found = check_manifest(tmp_path / "copy")
    assert advice(tmp_path / "copy", found) == "copy the study's folder again"


def test_the_job_of_a_damaged_record_is_run_again_and_until_then_nobody_reads_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with job("logs/s/manifest.log", outputs=[f"{ROOT}/manifest.sha256"]):
        write_manifest(ROOT, ["heads/a.json"])
    for text in ("", "{", '{"files": []}'):
        (ROOT / FOLDER / "plant.json").write_text(text, encoding="utf-8")
        found = check_manifest(ROOT)
        assert found.changed == (f"{FOLDER}/plant.json",)
        # The record of a job that read the folder tells what the lost one was of.
        assert shlex.split(advice(ROOT, found))[-2:] == ["--force", f"{ROOT}/backbones/m"]
        with pytest.raises(SystemExit):
            make("features", {"features/f": "others"}, [f"{ROOT}/backbones/m"])
        (line,) = capsys.readouterr().err.splitlines()
        assert "plant.json: no readable" in line
        assert line.endswith(f" --force {ROOT}/backbones/m")
        with pytest.raises(InputError, match=r"plant\.json: no readable.* --force results/s/backbones/m"):
            write_manifest(ROOT, ["heads/a.json"])
    # Those that read others go on.
    make("detect", {"heads/a.json": "a", "heads/b.json": "b"}, [f"{ROOT}/features/f"])
    make("plant", {"backbones/m/config.json": "{}", "backbones/m/w/x": "weights"}, [], ["backbones/m"])
    assert check_manifest(ROOT).sound


def test_a_record_that_a_killed_job_did_not_finish_is_no_record() -> None:
    (ROOT / FOLDER / ".plant.json.new-abcdefgh.json").write_text("{", encoding="utf-8")
    write_manifest(ROOT, ["heads/a.json"])
    assert check_manifest(ROOT).sound


def test_of_two_records_of_a_file_that_of_the_later_job_counts_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1)
    make("detect-a", {"heads/a.json": "newer"}, [])
    assert Records(ROOT).changed(["heads/a.json"]) == []


def test_a_kept_configuration_that_changed_is_found_and_not_used() -> None:
    keep_configuration(ROOT, {"name": "s", "seed": 1})
    write_manifest(ROOT, ["heads/a.json"])
    assert check_manifest(ROOT).sound
    place = ROOT / CONFIGURATION
    whole = place.read_text(encoding="utf-8")
    for text in ("", whole[:40], whole[:-2], whole.replace("seed: 1", "seed: 2")):
        place.write_text(text, encoding="utf-8")
        found = check_manifest(ROOT)
        assert found.changed == (CONFIGURATION,)
        assert "with the study's own configuration file" in advice(ROOT, found)
    # Earlier versions wrote no digest.
    place.write_text(whole.partition("\n")[2], encoding="utf-8")
    assert check_manifest(ROOT).sound


def test_a_record_of_an_earlier_version_is_read() -> None:
    path = ROOT / FOLDER / "plant.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content.pop("states") == {}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert Records(ROOT).changed(["backbones/m"]) == []


def test_a_large_file_is_hashed_again_only_if_it_was_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "_LARGE", 5)
    make("plant", {"backbones/m/config.json": "{}", "backbones/m/w/x": "weights"}, [], ["backbones/m"])
    read: list[str] = []

    def hashed(path: Path) -> str:
        read.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(records, "file_digest", hashed)
    weights = ROOT / "backbones/m/w/x"
    before = weights.stat()
    check_inputs([f"{ROOT}/backbones/m"], [f"{ROOT}/features/f"])
    assert read == ["config.json"]
    # Another date alone changes nothing, but shows that something was done to the file.
    os.utime(weights)
    check_inputs([f"{ROOT}/backbones/m"], [f"{ROOT}/features/f"])
    assert read == ["config.json", "config.json", "x"]
    weights.write_text("weightz", encoding="utf-8")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match="w/x: not as its job made it"):
        check_inputs([f"{ROOT}/backbones/m"], [f"{ROOT}/features/f"])


def test_what_is_advised_does_not_go_by_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (made, records):
        monkeypatch.setattr(module, "state_of", lambda path: (8 << 30, 0, 0, 0))
    make("plant", {"backbones/m/config.json": "{}", "backbones/m/w/x": "weights"}, [], ["backbones/m"])
    (ROOT / "backbones/m/w/x").write_text("weightz", encoding="utf-8")
    assert Records(ROOT).changed(["backbones/m"]) == ["backbones/m/w/x"]
    assert Records(ROOT).changed(["backbones/m"], quick=True) == []
