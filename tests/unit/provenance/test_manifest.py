"""Digests and the manifest: what it covers, that any change is found, and what cannot be listed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from folders import results_folder
from safetensors.numpy import load_file

from headrank.cli import main
from headrank.data import digests
from headrank.data.digests import file_digest, files_under, folder_digest
from headrank.errors import InputError
from headrank.provenance.manifest import NAME, check_manifest, read_manifest, write_manifest

WEIGHTS = "backbones/small/model.safetensors"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return results_folder(tmp_path / "study")


def test_a_file_is_digested_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 41
    (tmp_path / "f").write_bytes(content)
    for size in (1, 255, 256, 1 << 20):
        monkeypatch.setattr(digests, "_CHUNK", size)
        assert file_digest(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_every_artefact_is_listed_in_order_and_nothing_else(results: Path) -> None:
    listed = list(read_manifest(results / NAME))
    assert listed == sorted(listed)
    files = {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}
    left_out = {f for f in files if f.startswith("benchmarks/")} | {
        NAME,
        "backbones/small/.snakemake_timestamp",
    }
    assert set(listed) == files - left_out
    assert {WEIGHTS, "provenance.json", "runs/small/own/icr.trec.yaml"} <= set(listed)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_sha256sum_reads_the_manifest(results: Path) -> None:
    command = ["sha256sum", "--check", "--strict", NAME]
    assert subprocess.run(command, cwd=results, capture_output=True, check=False).returncode == 0
    (results / "tables" / "main.csv").write_text("method\n", encoding="utf-8")
    done = subprocess.run(command, cwd=results, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "tables/main.csv: FAILED" in done.stdout


def test_a_flipped_byte_of_weights_is_caught_where_safetensors_sees_nothing(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(results)]) == 0
    content = bytearray((results / WEIGHTS).read_bytes())
    content[-5] ^= 0x01
    (results / WEIGHTS).write_bytes(content)
    assert load_file(results / WEIGHTS)["w"].shape == (64,)
    capsys.readouterr()
    assert main(["check", str(results)]) == 5
    told = capsys.readouterr()
    assert told.out == f"changed: {WEIGHTS}\n"
    assert "1 changed" in told.err
    assert told.err.count("\n") == 1


def test_missing_and_extra_files_are_named(results: Path) -> None:
    (results / "tables" / "main.csv").rename(results / "tables" / "mine.csv")
    found = check_manifest(results)
    assert (found.changed, found.missing, found.extra) == ((), ("tables/main.csv",), ("tables/mine.csv",))
    assert not found.sound


def test_times_reports_and_hidden_files_are_no_concern_of_it(results: Path) -> None:
    (results / "benchmarks" / "train" / "a.tsv").write_text("s\n9\n", encoding="utf-8")
    (results / "report.html").touch()
    (results / "tables" / ".main.csv.tmp").touch()
    assert check_manifest(results).sound
    # Only at the top do these names stand for something else.
    (results / "tables" / "report.html").touch()
    assert check_manifest(results).extra == ("tables/report.html",)


def test_what_the_target_bench_measures_is_no_concern_of_it(results: Path) -> None:
    for name in ("bench/quick.csv", "metrics/speed/quick.parquet", "tables/growth.tex", "figures/speed.pdf"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).touch()
    assert check_manifest(results).sound
    (results / "figures" / "speedy.pdf").touch()
    assert check_manifest(results).extra == ("figures/speedy.pdf",)


def test_writing_it_again_gives_the_same_bytes(results: Path) -> None:
    before = (results / NAME).read_bytes()
    write_manifest(results)
    assert (results / NAME).read_bytes() == before


def test_linked_weights_count_with_their_content(results: Path, tmp_path: Path) -> None:
    outside = tmp_path / "checkpoint"
    (results / "backbones" / "small").rename(outside)
    (results / "backbones" / "small").mkdir()
    (results / WEIGHTS).symlink_to(outside / "model.safetensors")
    assert check_manifest(results).sound
    (outside / "model.safetensors").write_bytes(b"other weights")
    assert check_manifest(results).changed == (WEIGHTS,)
    (outside / "model.safetensors").unlink()
    assert check_manifest(results).missing == (WEIGHTS,)
    with pytest.raises(InputError, match=r"model\.safetensors: links to a file that is not there"):
        write_manifest(results)


def test_a_linked_folder_counts_with_its_content(results: Path, tmp_path: Path) -> None:
    (results / "backbones").rename(tmp_path / "big-disk")
    (results / "backbones").symlink_to(tmp_path / "big-disk")
    assert check_manifest(results).sound
    (tmp_path / "big-disk" / "small" / "new.bin").touch()
    assert check_manifest(results).extra == ("backbones/small/new.bin",)


def test_a_link_into_its_own_parents_is_refused(results: Path) -> None:
    (results / "tables" / "loop").symlink_to(results)
    with pytest.raises(InputError, match="leads into its own parents"):
        write_manifest(results)


def test_a_file_in_place_of_a_folder_is_told_as_missing_files(results: Path) -> None:
    shutil.rmtree(results / "heads")
    (results / "heads").touch()
    found = check_manifest(results)
    assert (found.missing, found.extra) == (("heads/small/headrank.json",), ("heads",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the manifest is empty"),
        ("abc  tables/main.csv\n", ":1: expected a SHA-256 digest"),
        (f"{'0' * 64} tables/main.csv\n", ":1: expected a SHA-256 digest"),
        (f"{'0' * 64}  ../secret\n", "leaves the folder"),
        (f"{'0' * 64}  /etc/passwd\n", "leaves the folder"),
        (f"{'0' * 64}  a\n{'1' * 64}  a\n", ":2: a is listed twice"),
    ],
)
def test_a_malformed_manifest_is_refused(
    results: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / NAME).write_text(text, encoding="utf-8")
    assert main(["check", str(results)]) == 5
    assert message in capsys.readouterr().err


def test_a_folder_without_manifest_and_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.sha256: no such file"):
        check_manifest(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        check_manifest(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no artefact"):
        write_manifest(tmp_path)


@pytest.mark.parametrize("name", ["two\nlines", "back\\slash", "\udcff"])
def test_names_that_no_line_can_hold_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="rename the file"):
        files_under(tmp_path)


def test_a_folder_s_digest_tells_names_and_contents_apart(tmp_path: Path) -> None:
    found = set()
    for files in ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "1", "c": "2"}, {"a": "1"}):
        place = tmp_path / str(len(found))
        place.mkdir()
        for name, text in files.items():
            (place / name).write_text(text, encoding="utf-8")
        found.add(folder_digest(place))
    assert len(found) == 4
