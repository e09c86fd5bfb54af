"""Preference training of the chosen heads' attention (R8 to R10).

Training differentiates the same scores that inference ranks by: one packed pass up to the deepest chosen head,
list-normalised head masses, their log mean. The frozen scores f0 come with the pairs, so the base model is never
run again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from headrank.adapter import attach_lora
from headrank.backbone import Backbone
from headrank.errors import InputError
from headrank.evaluation import evaluate
from headrank.examples import Example, split_queries
from headrank.extract import headrank_kernel
from headrank.heads import HeadSet
from headrank.losses import (
    group_contrastive_loss,
    list_scores,
    pair_accuracy,
    pointer_loss,
    preference_loss,
    regulariser,
)
from headrank.pairs import mine_list
from headrank.prompt import Prompt
from headrank.reading import read_prompts
from headrank.scoring import head_scores, list_normalise
from headrank.settings import MassSettings, Settings


def train(
    backbone: Backbone, heads: HeadSet, examples: Sequence[Example], settings: Settings
) -> tuple[Any, pd.DataFrame]:
    """Train a LoRA adapter; returns the peft model and the curve.

    Each epoch sees its own samples of the lists (sample numbers modulo the samples there are) in a seeded order.
    The curve has one row per optimiser step (split ``train``) and one per epoch over the held-out queries
    (``heldout``, from epoch 0 on, before training): step, epoch, split, loss, preference, regulariser,
    pair_accuracy, ndcg (held-out lists alone), learning_rate, kept (the state that the adapter has in the end).
    ``training.early_stopping`` keeps the best epoch, which may be none. Raises InputError at the first loss or
    gradient that is not finite, naming the step and the lists.
    """
    t = settings.training
    needs_base = settings.loss.form == "dpo" or settings.regulariser.form == "base"
    if settings.encoding.documents == "independent" and needs_base:
        raise InputError(
            "training: independent passages have no frozen scores, which loss.form dpo and regulariser.form base need"
        )
    torch.manual_seed(t.seed)
    heads.check(backbone.depth, backbone.n_heads, "training")
    model = attach_lora(backbone, heads, t)
    if t.gradient_checkpointing:
        _checkpoint_layers(backbone, heads.deepest)
    trained, held = split_queries(examples, t.heldout_share, t.seed)
    if not trained:
        raise InputError("training.heldout_share leaves no query to train on")
    parameters = [p for p in model.parameters() if p.requires_grad]
    per_epoch = settings.lists.per_query_per_epoch
    samples = 1 + max(e.sample for e in trained)
    epochs = [
        [e for e in trained if e.sample in {(epoch * per_epoch + i) % samples for i in range(per_epoch)}]
        for epoch in range(t.epochs)
    ]
    counts = [math.ceil(len(chosen) / t.batch_lists) for chosen in epochs]
    total = sum(counts)
    optimiser = torch.optim.AdamW(parameters, lr=t.learning_rate, weight_decay=t.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: cosine_factor(step, total, t.warmup))
    rng = np.random.default_rng([t.seed, 10])
    rows: list[dict[str, Any]] = []
    row: dict[str, float]
    step = 0
    held = [e for e in held if e.sample < per_epoch]
    best = _Best(t.early_stopping if held else "none", parameters)
    if held:
        row = measure(backbone, heads, held, settings)
        rows.append({"step": 0, "epoch": 0, "split": "heldout", **row})
        best.offer(row, 0)
    with tqdm(total=sum(map(len, epochs)), desc="training", unit="list") as progress:
        for epoch, (chosen, count) in enumerate(zip(epochs, counts, strict=True), start=1):
            if settings.pairs.remine == "epoch":
                chosen = remine(backbone, heads, chosen, settings, [t.seed, epoch])
            model.train()
            # Batches of equal size, give or take one: a last batch of one list would be a step of pure noise.
            for places in np.array_split(rng.permutation(len(chosen)), count):
                batch = [chosen[i] for i in places]
                step += 1
                row = _step(backbone, heads, batch, settings, optimiser, parameters, step)
                row["learning_rate"] = float(schedule.get_last_lr()[0])
                schedule.step()
                rows.append({"step": step, "epoch": epoch, "split": "train", **row})
                progress.update(len(batch))
                progress.set_postfix(loss=f"{row['loss']:.3f}", accuracy=f"{row['pair_accuracy']:.3f}")
            if held:
                row = measure(backbone, heads, held, settings)
                rows.append({"step": step, "epoch": epoch, "split": "heldout", **row})
                best.offer(row, epoch)
    best.restore()
    model.eval()
    curve = pd.DataFrame(rows)
    ends = curve["step"] == curve.groupby("epoch")["step"].transform("max")
    curve["kept"] = ends & (curve["epoch"] == (t.epochs if best.epoch is None else best.epoch))
    return model, curve


class _Best:
    """The adapter as it was when the held-out queries liked it best."""

    def __init__(self, criterion: str, parameters: Sequence[Tensor]) -> None:
        self.criterion = criterion
        self.parameters = parameters
        self.value = -math.inf
        self.epoch: int | None = None
        self.weights: list[Tensor] = []

    def offer(self, row: dict[str, float], epoch: int) -> None:
        """Remember the present weights if ``row`` is better than all before; of equals the earliest stays."""
        if self.criterion == "none":
            return
        value = -row["loss"] if self.criterion == "loss" else row[self.criterion]
        if value > self.value:
            self.value, self.epoch = value, epoch
            self.weights = [p.detach().clone() for p in self.parameters]

    def restore(self) -> None:
        if self.epoch is None:
            return
        with torch.no_grad():
            for parameter, weight in zip(self.parameters, self.weights, strict=True):
                parameter.copy_(weight)


def cosine_factor(step: int, total: int, warmup: float) -> float:
    """Share of the learning rate at a step: linear warm-up, then half a cosine to zero."""
    ramp = max(1, round(warmup * total))
    if step < ramp:
        return (step + 1) / ramp
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - ramp) / max(1, total - ramp))))


def score_list(backbone: Backbone, heads: HeadSet, prompt: Prompt, settings: Settings) -> Tensor:
    """f of R8 by prompt position, (documents,), under the model as it is; differentiable."""
    reading = next(iter(read_prompts(backbone, [prompt], heads.heads, [("query", settings.query_span)])))
    kernel = headrank_kernel(settings.query_span, settings.document_span)
    return list_scores(shares(head_scores(reading, kernel), reading.prompt, settings), settings.loss.score)


def shares(mass: Tensor, prompt: Prompt, settings: Settings) -> Tensor:
    """R4's list-normalised shares of raw head masses, (heads, documents); raw masses where those are the scores."""
    mass_settings: MassSettings = settings.mass
    if mass_settings.length_alpha:
        spans = prompt.documents(settings.document_span)
        lengths = torch.tensor([max(stop - start, 1) for start, stop in spans], device=mass.device)
        mass = mass / lengths.to(mass.dtype) ** mass_settings.length_alpha
    return mass if settings.loss.score == "mass" else list_normalise(mass, mass_settings.epsilon)


def remine(
    backbone: Backbone, heads: HeadSet, examples: Sequence[Example], settings: Settings, seed: Sequence[int]
) -> list[Example]:
    """The examples with pairs mined anew under the current model (R7's option)."""
    backbone.model.eval()
    with torch.no_grad():
        return [
            _with_pairs(e, score_list(backbone, heads, e.prompt, settings), settings, seed)
            for e in tqdm(examples, desc="mining", unit="list")
        ]


def _with_pairs(example: Example, scores: Tensor, settings: Settings, seed: Sequence[int]) -> Example:
    rng = np.random.default_rng([*seed, example.list_id])
    found = scores.detach().double().cpu().numpy()
    pairs = mine_list(example.grades.numpy(), found, settings.pairs, rng)
    return replace(example, pairs=torch.from_numpy(pairs))


def _step(
    backbone: Backbone,
    heads: HeadSet,
    batch: Sequence[Example],
    settings: Settings,
    optimiser: torch.optim.Optimizer,
    parameters: Sequence[Tensor],
    step: int,
) -> dict[str, float]:
    optimiser.zero_grad(set_to_none=True)
    totals: list[dict[str, float]] = []
    for example in batch:
        scores = score_list(backbone, heads, example.prompt, settings)
        if settings.pairs.remine == "step":
            example = _with_pairs(example, scores, settings, [settings.training.seed, step])
        loss, row = _loss(scores, example, settings)
        if not math.isfinite(row["loss"]):
            raise InputError(f"training: the loss is not finite at step {step}, list {example.list_id}")
        (loss / len(batch)).backward()
        totals.append(row)
    norm = torch.nn.utils.clip_grad_norm_(parameters, settings.training.clip)
    if not torch.isfinite(norm):
        lists = ", ".join(str(e.list_id) for e in batch)
        raise InputError(f"training: the gradient is not finite at step {step}, lists {lists}")
    optimiser.step()
    return _mean(totals)


def _loss(scores: Tensor, example: Example, settings: Settings) -> tuple[Tensor, dict[str, float]]:
    device = scores.device
    base, pairs = example.base.to(device), example.pairs.to(device)
    grades = example.grades.to(device)
    if settings.loss.form == "group-contrastive":
        preference = group_contrastive_loss(scores, grades, settings.loss)
    elif settings.loss.form == "pointer":
        preference = pointer_loss(scores, grades, settings.loss)
    else:
        preference = preference_loss(scores, base, pairs, settings.loss)
    term = regulariser(scores, base, grades, settings.pairs.middle_zone, settings.regulariser)
    weight = 0.0 if settings.regulariser.form == "none" else settings.regulariser.weight
    loss = preference + weight * term
    row = {
        "loss": loss.item(),
        "preference": preference.item(),
        "regulariser": term.item(),
        "pair_accuracy": pair_accuracy(scores.detach(), pairs),
    }
    return loss, row


def measure(
    backbone: Backbone, heads: HeadSet, examples: Sequence[Example], settings: Settings
) -> dict[str, float]:
    """Mean loss, its parts, pair accuracy and nDCG@10 over held-out lists, without gradients or dropout.

    nDCG takes the whole list, best score first (ties by prompt position), unjudged documents as irrelevant. Accuracy
    on hard pairs alone would praise any change: most of them are inverted at the start.
    """
    backbone.model.eval()
    run, qrels, rows = {}, {}, []
    with torch.no_grad():
        for example in tqdm(examples, desc="held-out", unit="list", leave=False):
            scores = score_list(backbone, heads, example.prompt, settings)
            rows.append(_loss(scores, example, settings)[1])
            values, name = scores.double().cpu().numpy(), str(example.list_id)
            run[name] = [(str(i), float(values[i])) for i in np.argsort(-values, kind="stable")]
            qrels[name] = {str(i): int(g) for i, g in enumerate(example.grades) if g >= 0}
    return {**_mean(rows), "ndcg": float(evaluate(run, qrels, ["ndcg@10"])["value"].mean())}


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    # A list without pairs has no accuracy; it must not make the mean undefined.
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def _checkpoint_layers(backbone: Backbone, deepest: int) -> None:
    """Gradient checkpointing below the deepest layer, which the engine leaves before its end."""
    backbone.model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    layers: Any = backbone.decoder.layers
    layers[deepest].gradient_checkpointing = False
