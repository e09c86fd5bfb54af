"""Collects per-head document masses: one forward pass per list, all heads, every method's spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headrank.engine.backbone import Backbone
from headrank.engine.features import Features, stack_lists
from headrank.engine.finite import NotFinite
from headrank.engine.forward import PromptTooLong, Reading, read_prompts
from headrank.engine.scoring import Kernel, document_index, document_masses, head_scores, head_tokens
from headrank.errors import naming, shown
from headrank.process.progress import counted
from headrank.prompts.builder import Prompt, PromptBuilder

if TYPE_CHECKING:
    from headrank.data.collections import Document

Ranked = tuple[str, Sequence["Document"]]


def headrank_kernel(query_span: str, document_span: str) -> Kernel:
    """R4's raw mass: no calibration, no mask, not yet normalised."""
    return Kernel(query_span, document_span, calibrate=False, outlier_mask=False)


def null_kernel(query_span: str, document_span: str) -> Kernel:
    """The same under the null query, with which shares can be calibrated."""
    return replace(headrank_kernel(query_span, document_span), branch="null")


# Detection differs from reranking: QRHead masks outliers per head, CoRe neither calibrates nor masks and counts the
# passage's own tokens only.
QRHEAD_DETECTION = Kernel("instruction+query+suffix", "labelled", calibrate=True, outlier_mask=True)
CORE_DETECTION = Kernel("instruction+query+next", "text", calibrate=False, outlier_mask=False)


@torch.no_grad()
def collect_features(
    backbone: Backbone,
    builder: PromptBuilder,
    lists: Mapping[str, Ranked],
    query_span: str,
    document_span: str,
    tokens_per_pass: int = 0,
    states_layer: int | None = None,
) -> Features:
    """Features of training lists: list id -> (query, documents in prompt order).

    Values: ``headrank`` (raw mass), ``null`` (the same under the null query), ``qrhead`` (calibrated, masked per head),
    ``core`` (raw mass under CoRe's spans), each (lists, heads, documents); ``icr_layers`` (lists, layers, documents),
    ICR's scores by each layer's heads alone; ``token_entropy`` (lists, heads), the entropy over document tokens;
    ``lengths`` (lists, documents), document lengths in tokens; with ``states_layer`` also ``states`` (lists, hidden),
    the query tokens' mean state that enters it.
    """
    kernels = {
        "headrank": headrank_kernel(query_span, document_span),
        "null": null_kernel(query_span, document_span),
        "qrhead": QRHEAD_DETECTION,
        "core": CORE_DETECTION,
    }
    sources = [source for kernel in kernels.values() for source in kernel.sources]
    names = {number: f"list {number} (query {shown(query)})" for number, (query, _) in lists.items()}

    def prompts() -> Iterator[Prompt]:
        for number, (query, documents) in lists.items():
            with naming(names[number]):
                prompt = builder.build(query, documents)
            yield prompt

    parts: dict[str, list[NDArray[np.float32]]] = {
        name: [] for name in (*kernels, "icr_layers", "token_entropy", "lengths")
    }
    if states_layer is not None:
        parts["states"] = []
    every = backbone.all_heads()
    readings = read_prompts(
        backbone, prompts(), every, sources, tokens_per_pass, states_layer, names=[*names.values()]
    )
    for number in counted(lists, len(lists), "features", "list"):
        try:
            reading = next(readings)
        except (NotFinite, PromptTooLong) as error:
            raise type(error)(f"{names[number]}: {error}") from None
        for name, kernel in kernels.items():
            parts[name].append(head_scores(reading, kernel).cpu().numpy())
        parts["icr_layers"].append(layer_scores(reading, QRHEAD_DETECTION, backbone.n_heads).cpu().numpy())
        entropy = token_entropy(reading, kernels["headrank"])
        parts["token_entropy"].append(entropy.cpu().numpy())
        parts["lengths"].append(document_lengths(reading, document_span))
        if states_layer is not None:
            parts["states"].append(reading.states["query", query_span].cpu().numpy())
    shape = (backbone.n_layers, backbone.n_heads)
    return Features(backbone.name, *shape, tuple(lists), stack_all(parts), backbone.identity.fingerprint)


def stack_all(parts: Mapping[str, Sequence[NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    """Stack each feature over the lists: vectors per head as they are, lists of unequal length padded with NaN."""
    stacked = {}
    for name, rows in parts.items():
        if name in ("token_entropy", "states", "lengths") and not rows:
            stacked[name] = np.zeros((0, 0), dtype=np.float32)
        elif name in ("token_entropy", "states"):
            stacked[name] = np.stack(rows)
        elif name == "lengths":
            stacked[name] = stack_lists([row[None] for row in rows])[:, 0]
        else:
            stacked[name] = stack_lists(rows)
    return stacked


def layer_scores(reading: Reading, kernel: Kernel, n_heads: int) -> Tensor:
    """(layers, documents): the kernel's scores by each layer's heads alone; reading: all heads, layer by layer."""
    tokens = head_tokens(reading, kernel)
    return document_masses(tokens.unflatten(0, (-1, n_heads)).sum(dim=1), reading, kernel)


def token_entropy(reading: Reading, kernel: Kernel) -> Tensor:
    """(n_heads,): entropy of the mass over all document tokens, divided by the log of their number, in [0, 1]."""
    mass = reading.mass[("query", kernel.query_span)]
    index = document_index(reading.prompt.documents(kernel.document_span), mass.shape[-1], mass.device)
    inside = mass[:, index >= 0]
    if inside.shape[1] < 2:
        return mass.new_zeros(mass.shape[0])
    share = inside / inside.sum(dim=1, keepdim=True).clamp(min=1e-30)
    return -(share * share.clamp(min=1e-30).log()).sum(dim=1) / float(np.log(inside.shape[1]))


def document_lengths(reading: Reading, document_span: str) -> NDArray[np.float32]:
    """(documents,): token counts, by which masses may be divided (R4)."""
    spans = reading.prompt.documents(document_span)
    return np.array([stop - start for start, stop in spans], dtype=np.float32)
