"""The model card: metadata that the hub's own classes read, and results that are those of the study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from exports import BASE, COMMIT, exported, trained
from folders import configuration, results_folder
from huggingface_hub import ModelCard
from huggingface_hub.utils import validate_repo_id

from headrank.errors import InputError
from headrank.provenance.manifest import write_manifest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("adapter") / "trained")


@pytest.fixture(scope="module")
def study(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that trained the adapter. On one of three queries the first stage is better, by as much."""
    spec = {"source": "hub", "id": BASE, "revision": COMMIT, "reranker": None}
    root = results_folder(
        tmp_path_factory.mktemp("study") / "study", configuration(backbones={"small": spec})
    )
    shutil.rmtree(root / "adapters")
    shutil.copytree(adapter, root / "adapters" / "small" / "headrank")
    values = {"bm25": (0.25, 0.25, 0.75), "headrank": (0.5, 0.5, 0.5), "k-2": (1.0, 1.0, 1.0)}
    rows = [
        ("" if method == "bm25" else "small", "own", method, f"q{i}", metric, value)
        for metric in ("nDCG@10", "MRR@10")
        for method, found in values.items()
        for i, value in enumerate(found)
    ]
    columns = ["backbone", "benchmark", "method", "qid", "metric", "value"]
    pd.DataFrame(rows, columns=columns).to_parquet(root / "metrics" / "main.parquet", index=False)
    write_manifest(root)
    return root


@pytest.fixture(scope="module")
def told(adapter: Path, study: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    made = exported(
        adapter,
        tmp_path_factory.mktemp("export") / "out",
        base=None,
        study=study,
        name="org/reranker",
        languages=("en", "de"),
        datasets=("org/questions",),
    )
    return ModelCard.load(made / "README.md")


def test_the_metadata_are_what_the_hub_reads(told: ModelCard) -> None:
    data = told.data.to_dict()
    assert (data["pipeline_tag"], data["library_name"], data["license"]) == (
        "text-ranking",
        "peft",
        "apache-2.0",
    )
    assert (data["base_model"], data["base_model_relation"]) == (BASE, "adapter")
    assert (data["language"], data["datasets"]) == (["en", "de"], ["org/questions"])
    assert {"reranker", "decoding-free"} <= set(data["tags"])
    validate_repo_id(data["base_model"])
    assert str(ModelCard(str(told))) == str(told)


def test_the_model_index_has_the_study_s_values(told: ModelCard) -> None:
    found = {
        (r.dataset_name, r.metric_type, r.metric_value, r.task_type) for r in told.data.eval_results or []
    }
    assert found == {("own", "ndcg_at_10", 0.5, "text-ranking"), ("own", "mrr_at_10", 0.5, "text-ranking")}
    assert told.data.model_name == "reranker"


def test_results_have_the_number_of_queries_and_p_values_against_bm25(told: ModelCard) -> None:
    (row,) = [line for line in told.text.splitlines() if line.startswith("| own | 3 | nDCG@10 |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3:5] == ["0.417", "0.500"]
    assert cells[5].startswith("+0.083 [")
    # Differences of 1/4, 1/4, -1/4: of eight patterns of signs, six have a sum as far from 0, and two a larger one.
    assert cells[6] == "1.000"


def test_it_says_how_to_use_it_what_it_learned_from_and_where_it_ends(told: ModelCard) -> None:
    assert 'Reranker.load("org/reranker", check=True)' in told.text
    assert f'AutoModelForCausalLM.from_pretrained("{BASE}", revision="{COMMIT}")' in told.text
    assert "- made: made by a program, not written by people" in told.text
    assert "chosen on the judgements of 12 training queries" in told.text
    assert "not a security boundary" in told.text
    assert "eprint = {2604.17237}" in told.text
    assert "2-1, 1-2" in told.text
    # Of the study, not of this machine.
    assert "/models/small" not in told.text


def test_without_a_study_no_quality_is_claimed(adapter: Path, tmp_path: Path) -> None:
    card = ModelCard.load(exported(adapter, tmp_path / "out") / "README.md")
    assert card.data.eval_results is None
    assert "claims no quality" in card.text


def test_a_study_that_did_not_train_it_or_has_changed_is_refused(
    adapter: Path, study: Path, tmp_path: Path
) -> None:
    other = results_folder(tmp_path / "other")
    with pytest.raises(InputError, match=r"other: trained no adapter with the weights of"):
        exported(adapter, tmp_path / "out", study=other)
    changed = Path(shutil.copytree(study, tmp_path / "changed"))
    frame = pd.read_parquet(changed / "metrics" / "main.parquet")
    frame.assign(value=1.0).to_parquet(changed / "metrics" / "main.parquet", index=False)
    with pytest.raises(InputError, match=r"main\.parquet: changed since the study was finished"):
        exported(adapter, tmp_path / "out", study=changed)
    assert not (tmp_path / "out").exists()


def test_a_name_that_the_study_does_not_pin_is_refused(adapter: Path, study: Path, tmp_path: Path) -> None:
    loose = Path(shutil.copytree(study, tmp_path / "loose"))
    path = loose / "provenance.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["models"]["small"]["revision"] = "main"
    path.write_text(json.dumps(record), encoding="utf-8")
    write_manifest(loose)
    with pytest.raises(InputError, match=f"{BASE}: no commit of the base model is known"):
        exported(adapter, tmp_path / "out", base=None, study=loose)
