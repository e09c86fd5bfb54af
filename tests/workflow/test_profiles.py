"""The profiles name rules, resources and options that there are; tests/slurm runs the one for Slurm on a cluster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY, configuration, snakemake

pytestmark = pytest.mark.slow

PROFILES = REPOSITORY / "profiles"
NAMES = sorted(path.name for path in PROFILES.iterdir())


def profile(name: str) -> dict[str, Any]:
    content = yaml.safe_load((PROFILES / name / "profile.yaml").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


# What follows "rule": its name, or that of the stage that batches of adapters have rules of.
NAME = re.compile(r' (\w+):|:\s+name:\s+BATCH\.rule\("(\w+)"\)')


def rules() -> dict[str, str]:
    """Name and text of every rule."""
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow" / "rules").glob("*.smk")]
    found = {}
    for body in (part for text in texts for part in re.split(r"^ *rule\b", text, flags=re.MULTILINE)[1:]):
        name = NAME.match(body)
        assert name is not None, body[:60]
        found[name[1] or name[2]] = body
    return found


def test_what_holds_for_every_run_stands_in_every_profile() -> None:
    assert NAMES == ["default", "slurm", "workstation"]
    default = profile("default")
    for name in NAMES:
        own = profile(name)
        assert "downloads=1" in own["resources"]
        assert {k: own[k] for k in default if k != "resources"} == {
            k: v for k, v in default.items() if k != "resources"
        }


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_has_a_comment(name: str) -> None:
    lines = (PROFILES / name / "profile.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-z]", line):
            # Above it, or within it above the first of its own entries.
            around = [lines[number - 1], *lines[number + 1 : number + 2]]
            assert any(near.lstrip().startswith("#") for near in around), f"{name}: {line}"


def test_resources_that_profiles_count_are_asked_for_by_rules() -> None:
    asked = {key for body in rules().values() for key in re.findall(r"^ {8,12}(\w+)=", body, re.MULTILINE)}
    for name in NAMES:
        assert {entry.split("=")[0] for entry in profile(name)["resources"]} <= asked


def test_groups_are_of_rules_that_go_to_the_queue() -> None:
    known = rules()
    assert len(known) > 30
    for entry in profile("slurm")["groups"]:
        assert "localrule: True" not in known[entry.split("=")[0]]


def test_rules_for_a_partition_with_gpus_are_those_that_take_one() -> None:
    text = (PROFILES / "slurm" / "profile.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"^#   (\w+): \{slurm_partition: gpu\}", text, re.MULTILINE))
    # Judge is a form of generate.
    taking = {name for name, body in rules().items() if "gpu=GPU" in body} | {"judge"}
    # The one is in a group with jobs that take none; the others are not part of a study.
    assert named == taking - {"embed", "measure", "grow"}
    told = (REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
    line = told.split("**GPUs.**")[1].split("no other job")[0]
    assert set(re.findall(r"`(\w+)`", line)) - {"bench"} == taking


def test_rules_beside_the_controller_are_light() -> None:
    light = {name: body for name, body in rules().items() if "localrule: True" in body}
    assert {"table", "figure", "timing"} <= set(light)
    for name, body in light.items():
        assert "gpu=0" in body, name
        assert int(re.findall(r"mem_mb=(\d+)", body)[0]) <= 2000, name


def test_a_home_folder_that_cannot_be_written_to_is_not_needed(tmp_path: Path) -> None:
    arguments = ("-n", "--configfile", configuration("mini"))
    done = snakemake(*arguments, directory=tmp_path, HOME="/proc/nowhere", XDG_CACHE_HOME="")
    assert done.code == 0, done.err[-2000:]
    assert done.jobs["train"] > 0


def test_a_workstation_plans_the_same_jobs(tmp_path: Path) -> None:
    arguments = ("-n", "--configfile", configuration("mini"))
    plain = snakemake(*arguments, directory=tmp_path)
    there = snakemake("--workflow-profile", PROFILES / "workstation", *arguments, directory=tmp_path)
    assert there.code == 0, there.err[-2000:]
    assert there.jobs == plain.jobs
