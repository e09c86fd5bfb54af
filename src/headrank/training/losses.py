"""Training objectives: HeadRank's preference loss and distribution regulariser (R8, R9), QRRanker's, CompRank's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from headrank.settings import LossSettings, RegulariserSettings


def group_contrastive_loss(scores: Tensor, grades: Tensor, settings: LossSettings) -> Tensor:
    """QRRanker: each relevant document against all irrelevant ones, on scores stretched to 0..scale.

    -(1 / |G|) sum over p in G of log(e^s_p / (e^s_p + sum over n of e^s_n)); grades: (documents,), unjudged ones (-1)
    left out (arXiv 2602.12192, QRRanker in docs/methods.md).
    """
    judged = grades >= 0
    positive, negative = grades >= settings.relevant, judged & (grades < settings.relevant)
    if not positive.any() or not negative.any():
        return scores.sum() * 0
    low, high = scores.min(), scores.max()
    stretched = settings.scale * (scores - low) / (high - low).clamp(min=1e-12)
    others = torch.logsumexp(stretched[negative], dim=0)
    wins = stretched[positive]
    return (torch.logaddexp(wins, others.expand_as(wins)) - wins).mean()


def pointer_loss(scores: Tensor, grades: Tensor, settings: LossSettings) -> Tensor:
    """CompRank: cross entropy of the pointer distribution softmax(scores) and each relevant document in turn.

    The distribution is over the whole list, unjudged documents included (arXiv 2606.11700, docs/methods.md). If the
    scores are log attention, this distribution is the attention itself.
    """
    positive = grades >= settings.relevant
    if not positive.any():
        return scores.sum() * 0
    return -torch.log_softmax(scores, dim=0)[positive].mean()


def preference_loss(scores: Tensor, base: Tensor, pairs: Tensor, settings: LossSettings) -> Tensor:
    """Mean over pairs of -log sigmoid of the preference margin.

    scores, base: (documents,) f under the trained and the frozen model; pairs: (pairs, 2), better document first.
    ``dpo``: beta * (margin - frozen margin); ``reference-free``: beta * margin - gamma.
    """
    if not len(pairs):
        return scores.sum() * 0
    margin = scores[pairs[:, 0]] - scores[pairs[:, 1]]
    if settings.form == "dpo":
        logits = settings.beta * (margin - (base[pairs[:, 0]] - base[pairs[:, 1]]))
    else:
        logits = settings.beta * margin - settings.gamma
    return -logsigmoid(logits).mean()


def regulariser(
    scores: Tensor, base: Tensor, grades: Tensor, middle: slice, settings: RegulariserSettings
) -> Tensor:
    """The distribution term L_dist of R9, without its weight.

    grades: (documents,) int64, -1 = unjudged; middle: the list's middle zone.
    ``soft-grades``: KL(y || softmax f) over judged documents, y ~ exp(grade / tau). ``variance``: squared shortfall of
    the standard deviation of f in the middle zone below sigma. ``entropy``: squared distance of the normalised list
    entropy of softmax f from its target. ``base``: KL(softmax f0 || softmax f). ``none``: zero.
    """
    if settings.form == "soft-grades":
        judged = grades >= 0
        target = torch.log_softmax(grades[judged].to(scores.dtype) / settings.tau, dim=0)
        return (target.exp() * (target - torch.log_softmax(scores[judged], dim=0))).sum()
    if settings.form == "variance":
        inside = scores[middle]
        if len(inside) < 2:
            return scores.sum() * 0
        # The small constant under the root keeps the gradient finite when all scores are equal.
        std = (inside.var() + 1e-12).sqrt()
        return (settings.sigma - std).clamp(min=0) ** 2
    if settings.form == "entropy":
        log_share = torch.log_softmax(scores, dim=0)
        entropy = -(log_share.exp() * log_share).sum() / torch.log(torch.tensor(float(max(len(scores), 2))))
        return (entropy - settings.entropy_target) ** 2
    if settings.form == "base":
        frozen = torch.log_softmax(base, dim=0)
        return (frozen.exp() * (frozen - torch.log_softmax(scores, dim=0))).sum()
    return scores.sum() * 0


def pair_accuracy(scores: Tensor, pairs: Tensor) -> float:
    """Share of pairs whose better document scores higher, by f itself (inverted pairs can satisfy the DPO form)."""
    if not len(pairs):
        return float("nan")
    return float((scores[pairs[:, 0]] > scores[pairs[:, 1]]).float().mean())
