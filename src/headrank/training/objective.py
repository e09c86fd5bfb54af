"""What training minimises: the scores of one list (R8), its loss, and both over held-out lists."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from headrank.data.rankings import rank_documents, run_of
from headrank.engine.backbone import Backbone
from headrank.engine.forward import read_prompts
from headrank.engine.layer_entry import LayerEntry
from headrank.engine.readout import read_out, trained_scores
from headrank.errors import RunError
from headrank.evaluation.evaluate import evaluate
from headrank.heads.head_set import HeadSet
from headrank.process.progress import counted
from headrank.prompts.builder import Prompt
from headrank.settings import Settings
from headrank.training.examples import Example
from headrank.training.losses import (
    group_contrastive_loss,
    pair_accuracy,
    pointer_loss,
    preference_loss,
    regulariser,
)
from headrank.training.lower_states import LowerStates
from headrank.training.memory import fits, passes
from headrank.training.pairs import mine_list

# Token budget of a pass that takes all prompts it is given.
ALL = sys.maxsize


def score_list(
    backbone: Backbone, heads: HeadSet, prompt: Prompt, settings: Settings, entry: LayerEntry | None = None
) -> Tensor:
    """f of R8 by prompt position, (documents,), under the current model; differentiable."""
    return next(score_lists(backbone, heads, [prompt], settings, [entry] if entry else None))


def score_lists(
    backbone: Backbone,
    heads: HeadSet,
    prompts: Sequence[Prompt],
    settings: Settings,
    entries: Sequence[LayerEntry] | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[Tensor]:
    """``score_list`` of several prompts, read in one pass where the memory suffices. names: for messages."""
    sources = read_out(settings).sources
    for reading in read_prompts(backbone, prompts, heads.heads, sources, ALL, entries=entries, names=names):
        yield trained_scores(reading, settings)


def score_examples(
    backbone: Backbone,
    heads: HeadSet,
    examples: Sequence[Example],
    settings: Settings,
    lower: LowerStates | None = None,
) -> list[Tensor]:
    """The scores of lists that share a pass; lists whose lower states are known share a separate one."""
    entries = [lower.entry(example) if lower else None for example in examples]
    found: list[Tensor] = []
    for known, group in groupby(zip(examples, entries, strict=True), lambda pair: pair[1] is not None):
        part = list(group)
        begun = [entry for _, entry in part if entry] if known else None
        names = [f"training list {example.list_id} (query {example.qid!r})" for example, _ in part]
        prompts = [example.prompt for example, _ in part]
        found += score_lists(backbone, heads, prompts, settings, begun, names)
    return found


def list_loss(scores: Tensor, example: Example, settings: Settings) -> tuple[Tensor, dict[str, float]]:
    """The loss of one list, and the numbers of its row of the curve."""
    device = scores.device
    base, pairs = example.base.to(device), example.pairs.to(device)
    grades = example.grades.to(device)
    if settings.loss.form == "group-contrastive":
        preference = group_contrastive_loss(scores, grades, settings.loss)
    elif settings.loss.form == "pointer":
        preference = pointer_loss(scores, grades, settings.loss)
    else:
        preference = preference_loss(scores, base, pairs, settings.loss)
    term = regulariser(scores, base, grades, settings.pairs.middle, settings.regulariser)
    weight = 0.0 if settings.regulariser.form == "none" else settings.regulariser.weight
    loss = preference + weight * term
    row = {
        "loss": loss.item(),
        "preference": preference.item(),
        "regulariser": term.item(),
        "pair_accuracy": pair_accuracy(scores.detach(), pairs),
    }
    return loss, row


def remine(
    backbone: Backbone,
    heads: HeadSet,
    examples: Sequence[Example],
    settings: Settings,
    seed: Sequence[int],
    lower: LowerStates | None = None,
) -> list[Example]:
    """The examples with pairs mined again under the current model (R7's option)."""
    scored = _frozen_scores(backbone, heads, examples, settings, lower)
    each = counted(scored, len(examples), "mining", "list")
    return [with_pairs(example, scores, settings, seed) for example, scores in each]


def with_pairs(example: Example, scores: Tensor, settings: Settings, seed: Sequence[int]) -> Example:
    """The example with the pairs that R7 mines on these scores."""
    rng = np.random.default_rng([*seed, example.list_id])
    found = scores.detach().double().cpu().numpy()
    pairs = mine_list(example.grades.numpy(), found, settings.pairs, rng)
    return replace(example, pairs=torch.from_numpy(pairs))


def measure_heldout(
    backbone: Backbone,
    heads: HeadSet,
    examples: Sequence[Example],
    settings: Settings,
    lower: LowerStates | None = None,
) -> dict[str, float]:
    """Mean loss, its parts, pair accuracy and nDCG@10 over held-out lists, without gradients or dropout.

    nDCG ranks the whole list, best score first (ties by prompt position), and counts unjudged documents as irrelevant.
    Accuracy on hard pairs alone would favour any change: most of these pairs are inverted at the start.
    """
    run, qrels, rows = {}, {}, []
    scored = _frozen_scores(backbone, heads, examples, settings, lower)
    for example, scores in counted(scored, len(examples), "held-out", "list"):
        rows.append(list_loss(scores, example, settings)[1])
        if not math.isfinite(rows[-1]["loss"]):
            raise RunError(f"training: the loss of held-out list {example.list_id} is not finite")
        values, name = scores.tolist(), str(example.list_id)
        run[name] = run_of(rank_documents([str(i) for i in range(len(values))], values))
        qrels[name] = {str(i): int(g) for i, g in enumerate(example.grades) if g >= 0}
    return {**mean_row(rows), "ndcg": float(evaluate(run, qrels, ["ndcg@10"])["value"].mean())}


@torch.no_grad()
def _frozen_scores(
    backbone: Backbone,
    heads: HeadSet,
    examples: Sequence[Example],
    settings: Settings,
    lower: LowerStates | None,
) -> Iterator[tuple[Example, Tensor]]:
    """Each list with its scores under the current model, without dropout."""
    backbone.model.eval()
    for part in passes(examples, settings.training.tokens_per_pass):
        with fits(part):
            scores = score_examples(backbone, heads, part, settings, lower)
        yield from zip(part, scores, strict=True)


def mean_row(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each number over lists."""
    # A list without pairs has no accuracy; it must not make the mean undefined.
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}
