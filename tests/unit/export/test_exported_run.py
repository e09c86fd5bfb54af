"""Runs of a finished study with their ir_metadata beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from folders import change_provenance, results_folder

from headrank.data.trec import read_run
from headrank.errors import InputError, PrerequisiteError, UsageError
from headrank.export.run import export_run
from headrank.provenance import read_provenance
from headrank.provenance.sidecars import sidecar

RUN = "runs/small/own/headrank.trec"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return results_folder(tmp_path / "study")


def test_a_run_comes_with_all_six_sections_beside_it(study: Path, tmp_path: Path) -> None:
    metadata = export_run(study / RUN, tmp_path / "task" / "own.run")
    assert metadata == tmp_path / "task" / "own.run.ir-metadata.yml"
    assert (tmp_path / "task" / "own.run").read_bytes() == (study / RUN).read_bytes()
    told = yaml.safe_load(metadata.read_text(encoding="utf-8"))
    assert told == sidecar(RUN, "headrank", read_provenance(study))
    sections = ("platform", "research goal", "implementation", "method", "actor", "data")
    assert all(told[section] for section in sections)
    assert read_run(tmp_path / "task" / "own.run") == read_run(study / RUN)


def test_nothing_is_written_into_the_study(study: Path) -> None:
    with pytest.raises(UsageError, match=r"headrank\.trec: lies in the results of the study"):
        export_run(study / RUN, study / RUN)


def test_a_run_or_record_that_changed_is_refused(study: Path, tmp_path: Path) -> None:
    run = study / RUN
    run.write_text(run.read_text().replace("3.0", "4.0"))
    with pytest.raises(InputError, match=r"headrank\.trec: not as .*manifest\.sha256 lists it"):
        export_run(run, tmp_path / "out.run")
    change_provenance(study, machine={"cpu": {}})
    with pytest.raises(InputError, match=r"provenance\.json: not as .*manifest\.sha256 lists it"):
        export_run(study / "runs/small/own/icr.trec", tmp_path / "out.run")
    assert not (tmp_path / "out.run").exists()


def test_a_file_of_a_study_that_is_no_run_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"main\.csv:1: expected 6 columns"):
        export_run(study / "tables" / "main.csv", tmp_path / "out.run")


def test_a_run_of_no_finished_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text("q Q0 a 1 1.0 x\n")
    with pytest.raises(PrerequisiteError, match=r"run\.trec: in no finished study"):
        export_run(tmp_path / "run.trec", tmp_path / "out.run")
