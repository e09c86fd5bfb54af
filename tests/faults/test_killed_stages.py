"""Every stage killed at random moments: nothing half-written under its final name, the same bytes when run again."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from conftest import Finished
from replay import Replay
from whole_study import (
    OTHER_STAGES,
    REPOSITORY,
    STAGES,
    Stage,
    rules_of_the_workflow,
    unfinished,
)

pytestmark = pytest.mark.faults

# How often each stage is killed, and what the moments are drawn from.
MOMENTS = int(os.environ.get("HEADRANK_MOMENTS", "2"))
SEED = int(os.environ.get("HEADRANK_SEED", "19"))
# Those that need a network, run the same script as others, or measure the machine outside of a study.
ELSEWHERE = {
    *("fetch_collection", "fetch_backbone", "fetch_gguf", "plant_realtext"),
    *("judge", "gather_judge", "measure", "grow", "summary"),
}
NO_JOBS = {"all", "download", "bench"}


def test_every_stage_is_here(whole_study: Finished, other_study: Finished) -> None:
    files = (REPOSITORY / "workflow").rglob("*.smk")
    assert rules_of_the_workflow(files) - NO_JOBS == {*STAGES, *OTHER_STAGES} | ELSEWHERE
    assert set(STAGES) <= set(whole_study.stages)
    assert set(OTHER_STAGES) <= set(other_study.stages)


def test_a_killed_stage_is_done_again_to_the_same_bytes(stage_and_study: tuple[Stage, Path]) -> None:
    stage, study = stage_and_study
    expected = stage.found(study)
    stage.clear(study)
    undisturbed = Replay(stage, study)
    assert undisturbed.end() == 0, undisturbed.told()
    # Not checked, only needed to spread the moments.
    duration = time.monotonic() - undisturbed.began
    assert stage.found(study) == expected
    draw = random.Random(f"{SEED} {stage.rule}")
    for number in range(MOMENTS + 1):
        # The last one is asked to end.
        how = signal.SIGTERM if number == MOMENTS else signal.SIGKILL
        moment = draw.random()
        stage.clear(study)
        killed = Replay(stage, study)
        time.sleep(moment * duration)
        killed.signal(how)
        assert killed.process.exitcode in (-how, 0), (moment, killed.told())
        # What is there is whole.
        assert stage.found(study).items() <= expected.items(), moment
        again = Replay(stage, study)
        assert again.end() == 0, (moment, again.told())
        assert stage.found(study) == expected, moment
        assert unfinished(study) == [], moment
