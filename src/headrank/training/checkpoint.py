"""Training checkpoints: the state of a run, so that a killed run resumes as if nothing had happened.

A checkpoint is one safetensors file (tensors, with JSON as its metadata), written completely or not at all and read
without running any code. It belongs to one configuration, data set, backbone and version of the code; a checkpoint of
any other is ignored.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from headrank.data.atomic import whole_file
from headrank.errors import RunError
from headrank.training.early_stopping import Best
from headrank.training.memory import RandomState

VERSION = 1
logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far training has got.

    epoch: the current one, from 1. done: how many of its batches are finished. order: state of the generator that
    orders the lists, as it was when the epoch began. rows, costs: the curve and the steps' costs so far. saving:
    whether gradient checkpointing is on. mined: the pairs mined for this epoch, by list id.
    """

    step: int = 0
    epoch: int = 1
    done: int = 0
    order: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)
    saving: bool = False
    mined: dict[int, Tensor] = field(default_factory=dict)


class Checkpoint:
    """The checkpoint of one training run: everything that changes in it, and the file ``folder/training.safetensors``.

    Without a folder nothing is saved or found.
    """

    def __init__(
        self,
        folder: Path | None,
        owner: Mapping[str, str],
        parameters: Mapping[str, Tensor],
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        best: Best,
        random: RandomState,
    ) -> None:
        self.path = None if folder is None else folder / "training.safetensors"
        self.owner = dict(owner)
        self.parameters = parameters
        self.optimiser = optimiser
        self.schedule = schedule
        self.best = best
        self.random = random

    def save(self, progress: Progress) -> None:
        """Write the checkpoint; a failure is logged, and the run continues without this checkpoint."""
        if self.path is None:
            return
        tensors = {f"adapter.{name}": p.detach() for name, p in self.parameters.items()}
        for name, moments in self._moments().items():
            tensors |= {f"optimiser.{name}.{key}": value for key, value in moments.items()}
        tensors |= {f"random.{name}": state for name, state in self.random.read().items()}
        tensors |= {f"mined.{i}": pairs for i, pairs in progress.mined.items()}
        tensors |= {
            f"best.{name}": w for name, w in zip(self.parameters, self.best.weights or (), strict=False)
        }
        # A safetensors file cannot hold two tensors that share memory.
        tensors = {name: tensor.cpu().clone().contiguous() for name, tensor in tensors.items()}
        where = {k: v for k, v in vars(progress).items() if k != "mined"}
        schedule = {k: v for k, v in self.schedule.state_dict().items() if k != "lr_lambdas"}
        state: dict[str, Any] = {
            "version": VERSION,
            "owner": self.owner,
            "progress": where,
            "schedule": schedule,
            "best": {"value": self.best.value, "epoch": self.best.epoch},
        }
        text = json.dumps(state)
        try:
            with whole_file(self.path) as temporary:
                save_file(tensors, temporary, {"state": text, "sha256": _checksum(text, tensors)})
        except (OSError, RunError, SafetensorError) as error:
            logger.warning("step %d: no checkpoint written: %s", progress.step, error)

    def load(self) -> Progress | None:
        """Restore the run from its checkpoint; None if there is none that fits (an unusable file is logged)."""
        if self.path is None or not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                meta = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = meta["state"]
            intact = meta["sha256"] == _checksum(text, tensors)
        except (OSError, SafetensorError, KeyError) as error:
            logger.warning("%s: unreadable, training starts over (%s)", self.path, error)
            return None
        if not intact:
            logger.warning("%s: damaged, training starts over", self.path)
            return None
        # Not the common reader: a generator's state has integers of 128 bits, and a curve may have NaN. The checksum
        # vouches for the text.
        state = json.loads(text)
        other = [name for name, digest in self.owner.items() if state["owner"].get(name) != digest]
        if state["version"] != VERSION or other:
            names = ", ".join(other) or "version of the file"
            logger.warning(
                "%s: belongs to another run (different %s), training starts over", self.path, names
            )
            return None
        return self._restore(state, tensors)

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> Progress:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[f"adapter.{name}"])
        # The learning-rate factor is a function of the step, so that only the schedule's position was saved.
        self.schedule.load_state_dict({**state["schedule"], "lr_lambdas": [None]})
        groups = self.optimiser.state_dict()["param_groups"]
        for group, rate in zip(groups, state["schedule"]["_last_lr"], strict=True):
            group["lr"] = rate
        moments: dict[int, dict[str, Tensor]] = {}
        for number, name in enumerate(self.parameters):
            prefix = f"optimiser.{name}."
            found = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            if found:
                moments[number] = found
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        self.best.value, self.best.epoch = state["best"]["value"], state["best"]["epoch"]
        if self.best.epoch is not None:
            self.best.weights = [tensors[f"best.{name}"].to(p.device) for name, p in self.parameters.items()]
        self.random.write(
            {k.removeprefix("random."): v for k, v in tensors.items() if k.startswith("random.")}
        )
        mined = {int(k.removeprefix("mined.")): v for k, v in tensors.items() if k.startswith("mined.")}
        return Progress(**state["progress"], mined=mined)

    def _moments(self) -> dict[str, dict[str, Tensor]]:
        """The optimiser's tensors by parameter name."""
        names = list(self.parameters)
        return {names[number]: state for number, state in self.optimiser.state_dict()["state"].items()}


def forget(folder: Path) -> None:
    """Remove what a run left in its folder, once its results are written."""
    shutil.rmtree(folder, ignore_errors=True)


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the JSON and all tensors: without it, a file with a flipped bit would load."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
