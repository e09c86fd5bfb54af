"""The self-test: a model in which heads are planted to match words must rank the passages that hold them first."""

from __future__ import annotations

from headrank.doctor.check import WRONG, Check, failed, ok
from headrank.doctor.world import World
from headrank.methods.ready import make_ready
from headrank.methods.request import Request


def self_test(world: World, device: str) -> Check:
    """Rank the world's candidates as ``headrank rerank --method qrhead`` does, and look at what comes first."""
    request = Request(method="qrhead", backbone=str(world.backbone), heads=str(world.heads))
    ranking = make_ready(request, dtype="float32", device=device).rank(world.candidates)
    first = ranking.groupby("qid", sort=False).first()["docid"].to_dict()
    right = [qid for qid, docid in world.answers.items() if first.get(qid) == docid]
    found = f"{len(right)} of {len(world.answers)} answers ranked first among {len(world.candidates[0].documents)}"
    if len(right) == len(world.answers):
        return ok("self-test", found)
    return failed("self-test", found, "do not trust rankings of this installation; report this", WRONG)
