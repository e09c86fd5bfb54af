"""Preference training of the chosen heads' attention (R8 to R10): the loop over epochs and batches.

Training differentiates the same scores that inference ranks by: one packed pass up to the deepest chosen head,
list-normalised head masses, their log mean. The frozen scores f0 come with the pairs, so the base model is never
run again.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from headrank.engine.backbone import Backbone
from headrank.engine.readout import read_out
from headrank.errors import UsageError
from headrank.heads.head_set import HeadSet
from headrank.process.progress import count_as_done, whole_job
from headrank.settings import Settings
from headrank.training.adapter import attach_lora
from headrank.training.checkpoint import Checkpoint, Progress
from headrank.training.early_stopping import Best
from headrank.training.epochs import make_plan
from headrank.training.examples import Example
from headrank.training.lower_states import LowerStates, first_adapted
from headrank.training.memory import Meter, RandomState
from headrank.training.objective import measure_heldout, remine
from headrank.training.run_digest import identity
from headrank.training.stepper import Stepper

logger = logging.getLogger(__name__)


# Seconds after which a checkpoint is due whatever ``training.checkpoint_every`` says: steps can take minutes.
_SAVE_AFTER = 600.0


@dataclass(frozen=True)
class TrainingResult:
    """A trained adapter (the peft model), its curve, and what each step cost."""

    model: Any
    curve: pd.DataFrame
    steps: pd.DataFrame


def train(
    backbone: Backbone,
    heads: HeadSet,
    examples: Sequence[Example],
    settings: Settings,
    folder: Path | None = None,
) -> TrainingResult:
    """Train a LoRA adapter.

    Each epoch sees its own samples of the lists (sample numbers modulo the number of samples) in a seeded order. The
    curve has one row per optimiser step (split ``train``) and one per epoch over the held-out queries (``heldout``,
    from epoch 0 on, before training): step, epoch, split, loss, preference, regulariser, pair_accuracy, ndcg (held-out
    lists only), learning_rate, kept (whether the adapter ends up in this state). The steps have step, epoch, lists,
    tokens, seconds, peak_memory_mb (``headrank.training.memory.Meter``), which differ from run to run.
    ``training.early_stopping`` keeps the best epoch, which may be none, and training ends once that epoch lies
    ``training.patience`` epochs back.

    folder: where a checkpoint is saved every ``training.checkpoint_every`` steps or ten minutes and at each epoch's
    end; a killed run resumes from it. The caller removes it (``headrank.training.checkpoint.forget``) when the results
    are written. Raises InputError at the first loss or gradient that is not finite, naming the step and the lists, and
    for a list that does not fit the device's memory even with gradient checkpointing.
    """
    t = settings.training
    _check(settings)
    torch.manual_seed(t.seed)
    heads.check(backbone.depth, backbone.n_heads, "training")
    heads.fits(backbone.identity, f"training: head set {heads.method!r}")
    run = _Run(backbone, heads, examples, settings, attach_lora(backbone, heads, t), folder)
    try:
        run.go()
    finally:
        run.lower.close()
    run.best.restore()
    run.model.eval()
    curve = pd.DataFrame(run.now.rows)
    ends = curve["step"] == curve.groupby("epoch")["step"].transform("max")
    kept = run.now.epoch - 1 if run.best.epoch is None else run.best.epoch
    curve["kept"] = ends & (curve["epoch"] == kept)
    return TrainingResult(run.model, curve, pd.DataFrame(run.now.costs))


def _check(settings: Settings) -> None:
    needs_base = settings.loss.form == "dpo" or settings.regulariser.form == "base"
    if settings.encoding.documents == "independent" and needs_base:
        raise UsageError(
            "training: independent passages have no frozen scores, which loss.form dpo and regulariser.form base need"
        )
    if settings.training.patience is not None and settings.training.early_stopping == "none":
        raise UsageError("training.patience waits for a better epoch, but training.early_stopping is none")


class _Run:
    """One training run: its parts, and how far it has got (``now``)."""

    def __init__(
        self,
        backbone: Backbone,
        heads: HeadSet,
        examples: Sequence[Example],
        settings: Settings,
        model: Any,
        folder: Path | None,
    ) -> None:
        t = settings.training
        self.backbone, self.heads, self.settings, self.model = backbone, heads, settings, model
        self.plan = plan = make_plan(examples, settings)
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        optimiser = torch.optim.AdamW(named.values(), lr=t.learning_rate, weight_decay=t.weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: cosine_factor(step, plan.steps, t.warmup)
        )
        self.rng = np.random.default_rng([t.seed, 10])
        self.best = Best(t.early_stopping if plan.held else "none", list(named.values()))
        weight = next(backbone.model.parameters())
        if weight.dtype == torch.float16:
            logger.warning(
                "float16 loses small gradients in the backward pass; bfloat16 and float32 do not (dtype)"
            )
        self.meter, random = Meter(weight.device), RandomState(weight.device)
        self.reads = plan.reads(2 if settings.pairs.remine == "epoch" else 1)
        branches = list(dict.fromkeys(branch for branch, _ in read_out(settings).sources))
        room = t.cache_gib * 2**30
        # A head may lie below the first adapted layer, and is read nevertheless.
        entered = min(first_adapted(model), *(layer for layer, _ in heads.heads))
        self.lower = LowerStates(backbone, entered, self.reads, room, folder, branches)
        self.stepper = Stepper(backbone, heads, settings, self.lower, list(named.values()), optimiser, random)
        place = folder if t.checkpoint_every else None
        owner = identity(backbone, heads, examples, settings) if place else {}
        self.checkpoint = Checkpoint(place, owner, named, optimiser, self.schedule, self.best, random)
        self.now = Progress()
        self.saved = time.monotonic()

    def go(self) -> None:
        """Train from the checkpoint on, or from the beginning."""
        t, plan = self.settings.training, self.plan
        logger.info(self.lower.describe(plan.lists))
        logger.info(self.stepper.describe(plan.lists))
        found = self.checkpoint.load()
        # Training, mining and held-out evaluation all take time: the bar counts the lists of all three.
        with whole_job(sum(self.reads.values()), "training", "list") as bar:
            if found is not None:
                self.now = found
                self.rng.bit_generator.state = found.order
                logger.info("resumed at step %d of %d, in epoch %d", found.step, plan.steps, found.epoch)
                count_as_done(self._read_so_far())
            elif plan.held:
                self._measure(0)
            if self.now.saving:
                self.stepper.save_memory()
            while self.now.epoch <= t.epochs and not self.best.waited(self.now.epoch - 1, t.patience):
                self._epoch(bar)
        if self.now.epoch <= t.epochs:
            logger.info("stopped after epoch %d: epoch %s was the best", self.now.epoch - 1, self.best.epoch)

    def _read_so_far(self) -> int:
        """How many lists were read before the current epoch began, plus those mined for it."""
        before, held = self.plan.epochs[: self.now.epoch - 1], len(self.plan.held)
        mining = self.settings.pairs.remine == "epoch"
        trained = sum(map(len, before)) * (2 if mining else 1)
        return trained + held * (len(before) + 1) + len(self.now.mined)

    def _epoch(self, bar: Any) -> None:
        """Run the current epoch, from the current batch on."""
        every, now = self.settings.training.checkpoint_every, self.now
        chosen = self._lists()
        now.order = dict(self.rng.bit_generator.state)
        batches = self.plan.order(now.epoch, self.rng)
        count_as_done(sum(map(len, batches[: now.done])))
        # Measuring and mining have switched dropout off.
        self.model.train()
        for places in batches[now.done :]:
            batch = [chosen[i] for i in places]
            now.step += 1
            self.meter.start()
            row = self.stepper.step(batch, now.step)
            row["learning_rate"] = float(self.schedule.get_last_lr()[0])
            self.schedule.step()
            now.rows.append({"step": now.step, "epoch": now.epoch, "split": "train", **row})
            now.costs.append({"step": now.step, "epoch": now.epoch, **self.meter.row(batch)})
            now.done, now.saving = now.done + 1, self.stepper.saving
            bar.update(len(batch))
            bar.set_postfix(loss=f"{row['loss']:.3f}", accuracy=f"{row['pair_accuracy']:.3f}")
            if every and (now.step % every == 0 or time.monotonic() - self.saved > _SAVE_AFTER):
                self._save()
        if self.plan.held:
            self._measure(now.epoch)
        logger.info(self._line())
        now.epoch, now.done, now.order, now.mined = now.epoch + 1, 0, dict(self.rng.bit_generator.state), {}
        self._save()

    def _save(self) -> None:
        self.checkpoint.save(self.now)
        self.saved = time.monotonic()

    def _lists(self) -> Sequence[Example]:
        """The epoch's lists with the pairs that it trains on."""
        chosen, now = self.plan.epochs[self.now.epoch - 1], self.now
        if self.settings.pairs.remine != "epoch":
            return chosen
        if now.mined:
            return [replace(e, pairs=now.mined[e.list_id]) for e in chosen]
        seed = [self.settings.training.seed, now.epoch]
        mined = remine(self.backbone, self.heads, chosen, self.settings, seed, self.lower)
        now.mined = {e.list_id: e.pairs for e in mined}
        return mined

    def _measure(self, epoch: int) -> None:
        row = measure_heldout(self.backbone, self.heads, self.plan.held, self.settings, self.lower)
        self.now.rows.append({"step": self.now.step, "epoch": epoch, "split": "heldout", **row})
        self.best.offer(row, epoch)

    def _line(self) -> str:
        """The log line for the epoch that has ended."""
        now = self.now
        costs = [row for row in now.costs if row["epoch"] == now.epoch]
        losses = [row["loss"] for row in now.rows if row["epoch"] == now.epoch and row["split"] == "train"]
        read, seconds = sum(row["tokens"] for row in costs), sum(row["seconds"] for row in costs)
        line = (
            f"epoch {now.epoch} of {len(self.plan.epochs)}: {len(costs)} steps, {read} tokens in {seconds:.1f} s,"
            f" peak memory {max(row['peak_memory_mb'] for row in costs):.0f} MB; loss {np.mean(losses):.4f}"
        )
        if self.plan.held:
            line += f"; held-out loss {now.rows[-1]['loss']:.4f}, nDCG@10 {now.rows[-1]['ndcg']:.4f}"
        return line


def cosine_factor(step: int, total: int, warmup: float) -> float:
    """Factor on the learning rate at a step: linear warm-up, then half a cosine down to zero."""
    ramp = max(1, round(warmup * total))
    if step < ramp:
        return (step + 1) / ramp
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - ramp) / max(1, total - ramp))))
