"""A finished study as an RO-Crate: read back with RO-Crate's own library, and only of a study that is whole."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from folders import configuration, results_folder
from rocrate.rocrate import ROCrate

from headrank.data.digests import file_digest
from headrank.errors import InputError, PrerequisiteError, UsageError
from headrank.export.citation_file import KNOWN, Author, Citation, read_citation
from headrank.export.crate import export_crate
from headrank.export.crate_entities import METADATA, PROFILE
from headrank.provenance.manifest import NAME, write_manifest

# What lies beside a study's runs.
BESIDE = ("masses.safetensors", "rankgpt.jsonl.gz")
CITATION = Citation(
    "Software",
    "Apache-2.0",
    (Author("A group"), Author("Ann Oak", "Oak", "Ann", "https://orcid.org/0000-0002-1825-0097")),
    "https://example.org/software",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = results_folder(tmp_path_factory.mktemp("study") / "study")
    for name in BESIDE:
        (root / "runs" / "small" / "own" / name).touch()
    write_manifest(root)
    return root


@pytest.fixture(scope="module")
def made(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("crate") / "crate"
    export_crate(study, output, "CC-BY-4.0", CITATION)
    return output


@pytest.fixture(scope="module")
def crate(made: Path) -> Any:
    return ROCrate(made)


def many(value: Any) -> list[Any]:
    """A property that may have one value or several."""
    return value if isinstance(value, list) else [value]


def test_every_file_is_described_and_is_as_the_study_s_manifest_says(
    made: Path, crate: Any, study: Path
) -> None:
    there = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()} - {METADATA}
    described = {entity.id: entity for entity in crate.get_by_type("File")}
    assert set(described) == there
    for name, entity in described.items():
        assert entity["sha256"] == file_digest(made / name), name
        assert entity["contentSize"] == str((made / name).stat().st_size), name
        assert entity["encodingFormat"]
    assert {"tables/main.csv", "runs/small/own/headrank.trec", "runs/small/own/headrank.trec.yaml"} <= there
    assert {"manifest.sha256", "provenance.json", "configuration.json", "heads/small/headrank.json"} <= there
    assert json.loads((made / "configuration.json").read_text()) == configuration()
    assert (made / "manifest.sha256").read_bytes() == (study / "manifest.sha256").read_bytes()


def test_texts_weights_masses_and_answers_stay_at_home(made: Path, study: Path) -> None:
    names = {path.name for path in made.rglob("*")}
    away = {"passages.jsonl", "queries.jsonl", "model.safetensors", "qrels.trec", *BESIDE}
    assert away <= {path.name for path in study.rglob("*")}
    assert not away & names


def test_the_root_says_what_it_is_who_made_it_and_under_which_licence(crate: Any) -> None:
    root = crate.root_dataset
    assert root["conformsTo"].id == PROFILE
    assert root["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert [author["name"] for author in root["author"]] == ["A group", "Ann Oak"]
    assert [author.type for author in root["author"]] == ["Organization", "Person"]
    assert root["datePublished"]
    # Everything is reached from the root.
    inside, todo = set(), [root]
    while todo:
        for part in many(todo.pop().get("hasPart", [])):
            inside.add(part.id)
            todo.append(part)
    assert {entity.id for entity in crate.get_by_type("File")} <= inside


def test_one_action_made_the_results_from_the_configuration_with_the_software(
    crate: Any, study: Path
) -> None:
    told = json.loads((study / "provenance.json").read_text())
    (action,) = crate.get_by_type("CreateAction")
    assert crate.root_dataset["mentions"].id == action.id
    assert {part.id for part in action["result"]} == {"heads/", "metrics/", "runs/", "tables/"}
    inputs = {entity.id for entity in action["object"]}
    assert {"configuration.json", "#model-small", "#collection-own"} <= inputs
    software = action["instrument"]
    assert (software.id, software["name"]) == ("https://example.org/software", "Software")
    assert told["code"]["sha256"] in software["description"]
    versions = {entity["name"]: entity["softwareVersion"] for entity in software["softwareRequirements"]}
    assert versions.pop("Python") == told["software"]["python"]
    assert versions == {name: found for name, found in told["software"]["packages"].items() if found}


def test_a_zip_file_holds_the_same_and_equal_studies_give_equal_bytes(
    made: Path, study: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    count = export_crate(study, one, "CC-BY-4.0", CITATION)
    export_crate(study, two, "CC-BY-4.0", CITATION)
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert next(iter(found)) == METADATA
    assert found == {p.relative_to(made).as_posix(): p.read_bytes() for p in made.rglob("*") if p.is_file()}
    assert len(found) == count + 1
    assert len(list(ROCrate(one).get_by_type("File"))) == count
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_models_of_the_hub_are_linked_at_their_commit(tmp_path: Path) -> None:
    spec = {"source": "hub", "id": "x/y", "revision": "0" * 40, "reranker": None}
    study = results_folder(tmp_path / "study", configuration(backbones={"small": spec}))
    export_crate(study, tmp_path / "crate", "CC0-1.0", KNOWN)
    (action,) = ROCrate(tmp_path / "crate").get_by_type("CreateAction")
    assert f"https://huggingface.co/x/y/tree/{'0' * 40}" in {entity.id for entity in action["object"]}


def test_an_unfinished_or_changed_study_is_refused(tmp_path: Path) -> None:
    study, output = results_folder(tmp_path / "study"), tmp_path / "crate.zip"
    (study / "tables" / "main.csv").write_text("method,own\nheadrank,0.99\n")
    with pytest.raises(InputError, match=r"tables/main\.csv: changed since the study was finished"):
        export_crate(study, output, "CC-BY-4.0", CITATION)
    (study / NAME).unlink()
    with pytest.raises(PrerequisiteError, match=r"has no manifest\.sha256, so the study is not finished"):
        export_crate(study, output, "CC-BY-4.0", CITATION)
    with pytest.raises(InputError, match="absent: no such folder"):
        export_crate(tmp_path / "absent", output, "CC-BY-4.0", CITATION)
    assert not output.exists()


def test_times_may_be_those_of_a_repeated_job(tmp_path: Path) -> None:
    study, name = results_folder(tmp_path / "study"), "tables/timing.csv"
    (study / name).write_text("rule,total_s\ntrain,9.5\n")
    record = {"inputs": [], "outputs": [name], "files": {name: file_digest(study / name)}, "ended": 1}
    (study / ".made").mkdir()
    (study / ".made" / "timing.json").write_text(json.dumps(record))
    export_crate(study, tmp_path / "crate", "CC-BY-4.0", CITATION)
    (entity,) = [e for e in ROCrate(tmp_path / "crate").get_by_type("File") if e.id == name]
    assert entity["sha256"] == file_digest(study / name)


def test_without_a_licence_there_is_no_crate(study: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--license: a crate must have one"):
        export_crate(study, tmp_path / "crate", None, CITATION)
    with pytest.raises(UsageError, match=r"crate\.zip: lies in the results of the study"):
        export_crate(study, study / "tables" / "crate.zip", "CC-BY-4.0", CITATION)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    with pytest.raises(InputError, match="mine: exists, and no export made it"):
        export_crate(study, tmp_path / "mine", "CC-BY-4.0", CITATION)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("title: [", "no readable citation file"),
        ("- x", "no readable citation file (not a mapping)"),
        ("title: x\nlicense: MIT", "authors: expected a list"),
        ("title: x\nlicense: MIT\nauthors: [x]", "authors: expected mappings, got 'x'"),
        ("title: x\nlicense: MIT\nauthors: [{given-names: Ann}]", "family-names: expected a text, got None"),
        ("license: MIT\nauthors: [{name: x}]", "title: expected a text, got None"),
        ("title: x\nlicense: 3\nauthors: [{name: x}]", "license: expected a text, got 3"),
        ("a: !!python/object/apply:os.system [true]", "no readable citation file"),
    ],
)
def test_a_bad_citation_file_is_named(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "CITATION.cff"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_citation(path)
    assert str(caught.value).startswith(f"{path}: {told}")
    assert "\n" not in str(caught.value)
