"""What others make and this project runs: pinned by version or digest, and with no more rights than it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import ir_datasets
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_of_ci_may_only_read_and_names_its_actions_by_digest(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow: dict[Any, Any] = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    # "on" is true in YAML 1.1. With pull_request_target, a stranger's code would run with the project's secrets.
    assert set(workflow[True]) <= {"push", "pull_request"}
    assert "secrets." not in text
    # What an outsider writes (a title, a branch) is no part of a command.
    assert "${{" not in text
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_audit_looks_at_every_version_that_is_installed() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^audit:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    # Otherwise a version that cannot be looked up, as without a network, counts as sound.
    assert "pip_audit --strict" in recipe[1]
    assert "--requirement constraints.txt" in recipe[1]


def test_models_come_over_https_and_each_file_of_a_benchmark_with_its_digest() -> None:
    assert huggingface_hub.constants._HF_DEFAULT_ENDPOINT.startswith("https://")
    catalogue = json.loads(
        (Path(ir_datasets.__file__).parent / "etc" / "downloads.json").read_text(encoding="utf-8")
    )
    used = set()
    for name in ("config", "quick"):
        config = yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
        used |= {spec["id"].split("/")[0] for spec in config["collections"].values() if "id" in spec}
    assert used == {"beir", "msmarco-passage", "msmarco-passage-v2"}
    for group in used:
        for name, file in catalogue[group].items():
            assert file["url"].startswith("https://"), (group, name)
            assert re.fullmatch("[0-9a-f]{32}", file["expected_md5"]), (group, name)


def test_models_of_every_configuration_are_pinned() -> None:
    for path in sorted((REPOSITORY / "config").glob("*.yaml")):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        for section in ("backbones", "rerankers", "encoders"):
            for name, spec in config.get(section, {}).items():
                if spec["source"] == "hub" or spec.get("id"):
                    assert re.fullmatch("[0-9a-f]{40}", spec["revision"]), (path.name, name)
                if spec["source"] == "gguf":
                    assert re.fullmatch("[0-9a-f]{64}", spec["sha256"]), (path.name, name)
