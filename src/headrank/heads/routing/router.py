"""RouteHead's router: a query's hidden state against one embedding per candidate head."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from headrank.data.atomic import whole_file
from headrank.data.files import check_regular
from headrank.data.json_files import parse_json
from headrank.errors import InputError, RunError, UsageError, one_line, unreadable
from headrank.heads.head_set import HeadSet
from headrank.settings import RouteSettings
from headrank.specs import Count, Natural, Share, read_value

if TYPE_CHECKING:
    from headrank.engine.backbone import Backbone

_TENSORS = ("mean", "spread", "weight", "embeddings", "bias")


@dataclass(frozen=True)
class Router:
    """r_h = sigmoid((W z)^T e_h + c_h) for each candidate head h.

    z: the query tokens' mean hidden state that enters ``layer``, standardised by mean and spread, (hidden,). weight:
    (dimension, hidden); embeddings: (candidates, dimension); bias: (candidates,).
    """

    heads: HeadSet
    layer: int
    budget: int
    threshold: float
    mean: Tensor
    spread: Tensor
    weight: Tensor
    embeddings: Tensor
    bias: Tensor

    def probabilities(self, state: Tensor) -> Tensor:
        """(..., hidden) states to (..., candidates)."""
        return self.logits(state).sigmoid()

    def logits(self, state: Tensor) -> Tensor:
        z = (state.float() - self.mean.to(state.device)) / self.spread.to(state.device)
        projected = z @ self.weight.to(state.device).T
        return projected @ self.embeddings.to(state.device).T + self.bias.to(state.device)

    def route(self, state: Tensor) -> Tensor:
        """(candidates,) bool: the heads above the threshold, or the most probable ``budget`` where there is none."""
        probable = self.probabilities(state)
        chosen = probable > self.threshold
        if not bool(chosen.any()):
            best = probable.argsort(descending=True, stable=True)[: self.budget]
            chosen[best] = True
        return chosen

    def save(self, path: str | Path) -> None:
        from safetensors.torch import save_file

        # One key: safetensors writes several in an order that changes from process to process.
        described = json.dumps([self.layer, self.budget, self.threshold, self.heads.described()])
        with whole_file(path) as temporary:
            tensors = {name: getattr(self, name).contiguous().cpu() for name in _TENSORS}
            save_file(tensors, temporary, metadata={"router": described})

    @classmethod
    def load(cls, path: str | Path) -> Router:
        """Read a router; InputError names the file and what is wrong with it."""
        from safetensors import safe_open

        try:
            check_regular(path)
            with safe_open(path, framework="pt") as stored:
                layer, budget, threshold, described = parse_json(stored.metadata()["router"])
                layer = read_value(Natural, layer, "layer")
                budget = read_value(Count, budget, "budget")
                threshold = read_value(Share, threshold, "threshold")
                tensors = {name: stored.get_tensor(name) for name in _TENSORS}
        except Exception as error:
            raise unreadable(error)(f"{path}: no readable router ({one_line(error)})") from error
        router = cls(HeadSet.read(described, str(path)), layer, budget, threshold, **tensors)
        router._check(str(path))
        return router

    def fits(self, backbone: Backbone, where: str) -> None:
        """Refuse to route on another model than the one whose states and heads the router has learnt."""
        self.heads.fits(backbone.identity, where)
        config: Any = backbone.model.config
        if len(self.mean) != config.hidden_size:
            raise InputError(
                f"{where}: reads states of {len(self.mean)} numbers, and {backbone.name} has {config.hidden_size};"
                " train a router on the model itself"
            )

    def _check(self, where: str) -> None:
        """Refuse numbers and tensors that do not go together."""
        if self.layer > self.heads.deepest:
            raise InputError(
                f"{where}: the router's layer {self.layer} is not within 0..{self.heads.deepest}"
            )
        if self.weight.dim() != 2:
            raise InputError(f"{where}: no readable router (its weight has shape {tuple(self.weight.shape)})")
        hidden, width, count = self.mean.numel(), len(self.weight), len(self.heads.heads)
        shapes = ((hidden,), (hidden,), (width, hidden), (count, width), (count,))
        for name, shape in zip(_TENSORS, shapes, strict=True):
            tensor: Tensor = getattr(self, name)
            if tuple(tensor.shape) != shape or not tensor.is_floating_point():
                raise InputError(f"{where}: the router's {name} has shape {tuple(tensor.shape)}, not {shape}")
            if not bool(tensor.isfinite().all()):
                raise InputError(
                    f"{where}: the router's {name} holds a number that is not finite; train it again"
                )
        if not bool((self.spread > 0).all()):
            raise InputError(f"{where}: the router's spread should be positive")


def train_router(
    states: NDArray[np.float32],
    labels: NDArray[np.bool_],
    heads: HeadSet,
    layer: int,
    settings: RouteSettings,
    seed: int,
) -> tuple[Router, pd.DataFrame]:
    """Learn which heads a query's state calls for.

    states: (lists, hidden); labels: (lists, candidates), ``heads`` being the candidates. The loss is the sum over heads
    of the binary cross entropy plus ``sparsity`` times the sum of r_h, averaged over lists. Returns the router and its
    curve: epoch, loss, heads (mean number above the threshold), agreement (share of correct decisions). Raises
    InputError for a layer that no pass reaches and for a loss that is not finite.
    """
    if layer > heads.deepest:
        raise UsageError(
            f"routehead.layer: {layer} lies above the deepest candidate head (layer {heads.deepest}),"
            " where the pass ends"
        )
    x = torch.from_numpy(np.asarray(states, dtype=np.float32))
    y = torch.from_numpy(labels.astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    scale = x.shape[1] ** -0.5
    weight = (torch.randn(settings.dimension, x.shape[1], generator=generator) * scale).requires_grad_()
    embeddings = torch.randn(y.shape[1], settings.dimension, generator=generator)
    embeddings = (embeddings * settings.dimension**-0.5).requires_grad_()
    # Starts from the heads' frequencies in the labels, so that the router need not learn those first.
    often = y.mean(dim=0).clamp(0.01, 0.99)
    bias = (often / (1 - often)).log().requires_grad_()
    router = Router(
        heads,
        layer,
        settings.budget,
        settings.threshold,
        x.mean(dim=0),
        x.std(dim=0, correction=0).clamp(min=1e-6),
        weight,
        embeddings,
        bias,
    )
    optimiser = torch.optim.AdamW([weight, embeddings, bias], lr=settings.learning_rate)
    rows: list[dict[str, Any]] = []
    for epoch in range(1, settings.epochs + 1):
        losses = []
        for batch in torch.randperm(len(x), generator=generator).split(settings.batch):
            logits = router.logits(x[batch])
            entropy = binary_cross_entropy_with_logits(logits, y[batch], reduction="none").sum(dim=1)
            loss = (entropy + settings.sparsity * logits.sigmoid().sum(dim=1)).mean()
            optimiser.zero_grad(set_to_none=True)
            if not loss.isfinite():
                raise RunError(
                    f"routehead: the loss is not finite in epoch {epoch}; check the settings of headrank.routehead"
                )
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()) * len(batch))
        with torch.no_grad():
            above = router.probabilities(x) > settings.threshold
        rows.append(
            {
                "epoch": epoch,
                "loss": sum(losses) / len(x),
                "heads": float(above.sum(dim=1).float().mean()),
                "agreement": float((above == y.bool()).float().mean()),
            }
        )
    learnt = {name: getattr(router, name).detach() for name in _TENSORS}
    return Router(heads, layer, settings.budget, settings.threshold, **learnt), pd.DataFrame(rows)
