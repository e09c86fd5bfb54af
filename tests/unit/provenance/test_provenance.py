"""What is recorded of a study: code, configuration, models, collections, time and machine."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from folders import REPOSITORY, configuration, results_folder

from headrank.data.digests import file_digest
from headrank.data.leakage import Leak, write_leaks
from headrank.engine.tiles import kernel
from headrank.errors import InputError
from headrank.provenance import NAME, read_provenance, record
from headrank.provenance.code import UNKNOWN, code_version
from headrank.provenance.comparison.origins import compare_origins
from headrank.provenance.machine import energy, machine, read_gpus
from headrank.provenance.record import configuration_digest, seeds
from headrank.provenance.software import PACKAGES, software
from headrank.provenance.time import wall_time


def git(place: Path, *arguments: str) -> str:
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    command = ["git", *author, *arguments]
    return subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with code and a configuration."""
    root = tmp_path / "repository"
    for name in ("src/headrank/a.py", "workflow/Snakefile", "config/mini.yaml", "Snakefile"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}\n", encoding="utf-8")
    (root / ".gitignore").write_text("__pycache__/\n*.so\n", encoding="utf-8")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_a_clean_repository_is_its_commit(repository: Path) -> None:
    version = code_version(repository)
    assert version["commit"] == git(repository, "rev-parse", "HEAD")
    assert len(version["commit"]) == 40
    assert version["dirty"] is False


@pytest.mark.parametrize(
    ("name", "dirty", "other_digest"),
    [
        ("src/headrank/a.py", True, True),
        ("workflow/rules.smk", True, True),
        ("Snakefile", True, False),
        ("config/mini.yaml", False, False),
        ("src/headrank/__pycache__/a.pyc", False, False),
        ("src/headrank/compiled.abi3.so", False, False),
    ],
)
def test_changed_code_is_told(repository: Path, name: str, dirty: bool, other_digest: bool) -> None:
    before = code_version(repository)
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("changed\n", encoding="utf-8")
    after = code_version(repository)
    assert after["dirty"] is dirty
    assert after["commit"] == before["commit"]
    assert (after["sha256"] != before["sha256"]) is other_digest


def test_without_git_the_commit_is_unknown_and_the_digest_is_there(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_version(repository)
    monkeypatch.setenv("PATH", "")
    version = code_version(repository)
    assert (version["commit"], version["dirty"]) == (UNKNOWN, None)
    assert "no git" in version["reason"]
    assert version["sha256"] == before["sha256"]


def test_code_inside_someone_else_s_repository_has_no_commit(repository: Path, tmp_path: Path) -> None:
    inner = repository / "unpacked"
    (inner / "src").mkdir(parents=True)
    (inner / "src" / "a.py").write_text("a\n", encoding="utf-8")
    assert code_version(inner)["commit"] == UNKNOWN


def test_git_variables_of_the_caller_do_not_matter(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = code_version(repository)["commit"]
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert code_version(repository)["commit"] == commit


def test_a_library_that_is_not_the_repository_s_own_is_told(repository: Path) -> None:
    assert code_version(repository)["library"]["same_as_source"] is False
    here = REPOSITORY
    assert code_version(here)["library"]["same_as_source"] is True


def test_the_record_of_a_study(tmp_path: Path) -> None:
    root = results_folder(tmp_path / "study")
    told = read_provenance(root)
    assert told["configuration"]["values"] == configuration()
    assert told["configuration"]["sha256"] == configuration_digest(configuration())
    assert told["seeds"] == {"seed": 4, "collections.made.synthetic.seed": 12, "headrank.training.seed": 7}
    model = told["models"]["small"]
    digest = hashlib.sha256((root / "backbones" / "small" / "model.safetensors").read_bytes()).hexdigest()
    assert model["files"] == {"model.safetensors": digest}
    assert model["sha256"] == hashlib.sha256(f"{digest}  model.safetensors\n".encode()).hexdigest()
    assert (model["source"], model["path"]) == ("local", "/models/small")
    known = told["collections"]["known"]
    assert (known["source"], known["id"], known["roles"]) == (
        "ir_datasets",
        "beir/scifact/test",
        ["detection"],
    )
    for name, spec in told["collections"].items():
        assert set(spec["sha256"]) == {"queries.jsonl", "qrels.trec", "candidates.trec", "passages.jsonl"}
        for file, digest in spec["sha256"].items():
            assert digest == file_digest(root / "collections" / name / file)
    assert told["code"]["commit"]
    assert told["energy"]["joules"] is None
    assert told["energy"]["reason"]
    written = datetime.fromisoformat(told["written"])
    assert written.utcoffset() == timedelta(0)


def test_a_hub_model_keeps_its_id_and_revision(tmp_path: Path) -> None:
    spec = {"source": "hub", "id": "x/y", "revision": "0" * 40, "reranker": None}
    root = results_folder(tmp_path / "study", configuration(backbones={"small": spec}))
    model = read_provenance(root)["models"]["small"]
    assert (model["id"], model["revision"]) == ("x/y", "0" * 40)
    assert len(model["sha256"]) == 64


def test_a_collection_without_use_is_left_out(tmp_path: Path) -> None:
    root = results_folder(tmp_path / "study", configuration(detect_on=[]))
    assert set(read_provenance(root)["collections"]) == {"own", "made"}


def test_a_configuration_s_digest_is_that_of_its_values() -> None:
    one = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    assert configuration_digest(one) == configuration_digest({"d": None, "a": {"c": [1, 2], "b": 1}})
    assert configuration_digest(one) == hashlib.sha256(b'{"a":{"b":1,"c":[1,2]},"d":null}').hexdigest()
    assert configuration_digest(one) != configuration_digest({"a": {"b": 1, "c": [2, 1]}, "d": None})


def test_seeds_are_found_wherever_they_stand() -> None:
    assert dict(seeds({"seed": 1, "a": {"seed": 2, "b": {"seed": 3}}, "c": [{"seed": 4}]})) == {
        "seed": 1,
        "a.seed": 2,
        "a.b.seed": 3,
    }


def test_time_per_rule_is_that_of_the_benchmark_files(tmp_path: Path) -> None:
    root = results_folder(tmp_path / "study")
    told = wall_time(root / "benchmarks")
    assert told["rules"] == {
        "manifest": {"jobs": 1, "seconds": 9.0, "longest_seconds": 9.0, "peak_rss_mb": None},
        "train": {"jobs": 2, "seconds": 3.5, "longest_seconds": 2.0, "peak_rss_mb": 100},
    }
    assert told["job_seconds"] == 12.5
    assert wall_time(root / "benchmarks", ["manifest"])["job_seconds"] == 3.5


def test_software_has_a_version_of_every_package_that_matters() -> None:
    told = software()
    assert set(told["packages"]) == set(PACKAGES)
    assert set(told["compiled"]) <= {"avx2", "avx512"}
    assert bool(told["compiled"]) == (kernel() is not None)
    needed = {"torch", "transformers", "peft", "safetensors", "tokenizers", "bm25s", "ir_datasets"}
    needed |= {"pytrec_eval-terrier", "snakemake", "numpy", "pandas"}
    assert needed <= set(PACKAGES)
    assert all(told["packages"][name] for name in needed)


def test_a_machine_tells_no_name_of_its_own() -> None:
    import socket

    told = machine()
    assert told["cpu"]["cores"] >= 1
    assert told["memory_gib"] >= 1
    assert socket.gethostname() not in json.dumps(told).replace(told["os"]["kernel"], "")


def test_gpus_are_read_from_the_driver_s_lines() -> None:
    text = "NVIDIA H200, 143771, 570.1\nNVIDIA Odd, [N/A], 570.1\nnot a line\n"
    assert read_gpus(text) == [
        {"name": "NVIDIA H200", "memory_gib": 140, "driver": "570.1"},
        {"name": "NVIDIA Odd", "memory_gib": None, "driver": "570.1"},
    ]


def test_energy_is_never_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without PATH no driver is asked.
    monkeypatch.setenv("PATH", "")
    assert energy(tmp_path) == {"joules": None, "reason": "the machine shows no energy counter"}
    (tmp_path / "intel-rapl:0").mkdir()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("123456\n", encoding="utf-8")
    told = energy(tmp_path)
    assert told["joules"] is None
    assert told["reason"].startswith("the counters of RAPL count since")


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 2}', "{"])
def test_an_unreadable_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"provenance\.json: "):
        read_provenance(tmp_path)


def test_a_model_from_a_gguf_file_says_which(tmp_path: Path):
    spec = {"source": "gguf", "file": "tiny.gguf", "id": "", "revision": "", "reranker": None}
    root = results_folder(tmp_path / "study", configuration(backbones={"small": spec}))
    origin = {"file": "tiny.gguf", "sha256": "1" * 64, "quantisation": {"Q4_K": 12}}
    (root / "backbones" / "small" / "gguf.json").write_text(json.dumps(origin), encoding="utf-8")
    one = record(root, configuration(backbones={"small": spec}), REPOSITORY, ["small"])
    assert one["models"]["small"]["gguf"] == origin
    assert (one["models"]["small"]["source"], one["models"]["small"]["file"]) == ("gguf", "tiny.gguf")
    (root / "backbones" / "small" / "gguf.json").write_text(json.dumps(origin | {"sha256": "2" * 64}))
    other = record(root, configuration(backbones={"small": spec}), REPOSITORY, ["small"])
    assert "small.gguf.sha256" in [difference.key for difference in compare_origins(one, other).models]


def test_leaked_queries_are_recorded_and_a_study_that_learns_from_none_says_nothing(tmp_path: Path) -> None:
    results = results_folder(tmp_path / "study")
    assert "leakage" not in read_provenance(results)
    leak = Leak("training", "made", "q1", "Red oak?", "own", "7", "red oak", "same text", 1.0)
    write_leaks(results / "leakage.json", [leak], "leave-out")
    told = record(results, configuration(), REPOSITORY, ["small"])["leakage"]
    assert (told["action"], told["near"]) == ("leave-out", 0.75)
    assert [(found["qid"], found["test_qid"]) for found in told["queries"]] == [("q1", "7")]
