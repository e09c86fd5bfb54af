"""``headrank doctor``: one line per check, what failed in its exit status, the same as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import checkpoint

from headrank.cli import main
from headrank.doctor import self_test, system
from headrank.doctor.check import PREREQUISITE, RESOURCE, WRONG, failed

pytestmark = pytest.mark.slow

NAMES = [
    *("python", "headrank", "packages", "platform", "encoding", "git", "free disk", "write results"),
    *("write GGUF cache", "write hub cache", "write ir_datasets", "HEADRANK_DATA", "HEADRANK_MODELS"),
    *("threads", "compiled attention", "device", "self-test", "backbone", "spans", "finite numbers"),
    *(
        "same scores twice",
        "many = one at a time",
        "read-out = eager",
        "padded = unpadded",
        "compiled = plain",
    ),
]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRANK_CACHE", str(tmp_path))
    for name in ("HEADRANK_DATA", "HEADRANK_MODELS"):
        monkeypatch.delenv(name, raising=False)


def test_a_sound_installation_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cpu"]) == 0
    told = capsys.readouterr()
    *lines, last = told.out.splitlines()
    assert [line[9:29].strip() for line in lines] == NAMES
    assert {line.split()[0] for line in lines} <= {"ok", "warning"}
    assert all(line.startswith("ok") for line in lines[NAMES.index("self-test") :])
    assert last.startswith(f"{len(NAMES)} checks in ")
    assert last.endswith(" 0 failed")
    assert "rerank" not in told.err


def test_a_model_of_one_s_own_is_checked_and_told_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(checkpoint("gemma3"))
    assert main(["doctor", "--device", "cpu", "--backbone", model, "--dtype", "bfloat16", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == 0
    checks = {check["name"]: check for check in report["checks"]}
    assert list(checks) == NAMES
    assert model in checks["backbone"]["found"]
    assert "bfloat16" in checks["backbone"]["found"]
    assert {check["mark"] for check in checks.values()} <= {"ok", "warning"}


def test_a_missing_model_is_a_missing_resource(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cpu", "--backbone", str(tmp_path / "none.gguf")]) == RESOURCE
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("failed   backbone")
    assert "none.gguf: no such file" in lines[-2]
    assert lines[-1].endswith("1 failed")


def test_a_wrong_ranking_is_told_and_the_other_checks_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = self_test.make_ready

    def upside_down(*given: Any, **named: Any) -> Any:
        sound = ready(*given, **named)
        return replace(sound, rank=lambda candidates: sound.rank(candidates)[::-1])

    monkeypatch.setattr(self_test, "make_ready", upside_down)
    assert main(["doctor", "--device", "cpu"]) == WRONG
    lines = capsys.readouterr().out.splitlines()
    wrong = [line for line in lines if line.startswith("failed")]
    assert len(wrong) == 1
    assert "self-test            0 of 12 answers ranked first" in wrong[0]
    assert "do not trust" in wrong[0]
    assert len(lines) == len(NAMES) + 1


def test_the_first_failure_gives_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system, "git", lambda: failed("git", "none", "get one", PREREQUISITE))
    monkeypatch.setattr(self_test, "make_ready", lambda *given, **named: 1 / 0)
    assert main(["doctor", "--device", "cpu", "--json"]) == PREREQUISITE
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == PREREQUISITE
    broken = {check["name"]: check for check in report["checks"]}["self-test"]
    assert (broken["mark"], broken["status"]) == ("failed", WRONG)
    assert "ZeroDivisionError" in broken["found"]
