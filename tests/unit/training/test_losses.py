"""The objective's values against numbers worked out by hand, its gradients' signs, and its degenerate lists."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from headrank.settings import LossSettings, RegulariserSettings
from headrank.training.losses import (
    group_contrastive_loss,
    pair_accuracy,
    pointer_loss,
    preference_loss,
    regulariser,
)

MIDDLE = slice(1, 4)
GRADES = torch.tensor([2, 0, -1, 1])
NO_PAIRS = torch.empty((0, 2), dtype=torch.int64)


def scores(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def regulate(
    f: Tensor, form: Any, base: Tensor | None = None, grades: Tensor = GRADES, **changes: Any
) -> Tensor:
    settings = RegulariserSettings(form=form, **changes)
    return regulariser(f, torch.zeros_like(f) if base is None else base, grades, MIDDLE, settings)


def gradient(loss: Tensor, f: Tensor) -> list[float]:
    loss.backward()
    assert f.grad is not None
    return f.grad.tolist()


# --- QRRanker and CompRank ---


def test_group_contrast_on_scores_stretched_to_the_scale():
    # Lowest 1, highest 5: stretched by 2 to 8, 0, 4, 6; the document of 3 is unjudged.
    f, grades = scores(5.0, 1.0, 3.0, 4.0), torch.tensor([2, 0, -1, 1])
    others = math.exp(0)
    wins = [math.exp(8), math.exp(6)]
    expected = -sum(math.log(w / (w + others)) for w in wins) / 2
    assert group_contrastive_loss(f, grades, LossSettings()).item() == pytest.approx(expected)
    # Grade 1 is irrelevant where relevance begins at 2.
    strict = group_contrastive_loss(f, grades, LossSettings(relevant=2)).item()
    assert strict == pytest.approx(-math.log(wins[0] / (wins[0] + others + math.exp(6))))
    # Only where scores stand between lowest and highest counts, not how far apart those are.
    assert group_contrastive_loss(7 * f + 3, grades, LossSettings()).item() == pytest.approx(expected)


def test_pointer_loss_is_the_cross_entropy_of_each_relevant_document():
    shares = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    found = pointer_loss(shares.log(), torch.tensor([1, -1, 3]), LossSettings()).item()
    assert found == pytest.approx(-(math.log(0.5) + math.log(0.2)) / 2)


@pytest.mark.parametrize("loss", [group_contrastive_loss, pointer_loss])
@pytest.mark.parametrize("grades", [[-1, -1, -1], [0, 0, 0], [1, 1, 1]])
@pytest.mark.parametrize("values", [(1.0, 2.0, 3.0), (0.0, 0.0, 0.0)])
def test_losses_of_other_methods_on_degenerate_lists(loss: Any, grades: list[int], values: tuple[float, ...]):
    f = scores(*values)
    found = loss(f, torch.tensor(grades), LossSettings())
    assert math.isfinite(found.item())
    assert all(math.isfinite(g) for g in gradient(found, f))
    if loss is group_contrastive_loss or max(grades) < 1:
        assert found.item() == 0


@pytest.mark.parametrize("loss", [group_contrastive_loss, pointer_loss])
def test_descent_raises_the_relevant(loss: Any):
    f = scores(0.1, 0.9, 0.4, 0.3)
    slope = gradient(loss(f, torch.tensor([0, 0, 1, 0]), LossSettings()), f)
    assert slope[2] < 0
    assert slope[1] > 0


# --- preference ---


def test_dpo_at_the_frozen_scores_is_log_two():
    f = scores(0.3, -1.0, 2.0)
    pairs = torch.tensor([[0, 1], [1, 2], [2, 0]])
    assert preference_loss(f, f.detach(), pairs, LossSettings()).item() == pytest.approx(math.log(2))


def test_dpo_value():
    f, base = scores(1.0, 0.5, -0.2), torch.tensor([0.4, 0.6, 0.0], dtype=torch.float64)
    pairs = torch.tensor([[0, 1], [1, 2]])
    # Margins .5 and .7 against frozen -.2 and .6: 2 * .7 and 2 * .1
    expected = (math.log(1 + math.exp(-1.4)) + math.log(1 + math.exp(-0.2))) / 2
    assert preference_loss(f, base, pairs, LossSettings()).item() == pytest.approx(expected)
    expected = (math.log(1 + math.exp(-0.35)) + math.log(1 + math.exp(-0.05))) / 2
    assert preference_loss(f, base, pairs, LossSettings(beta=0.5)).item() == pytest.approx(expected)


def test_reference_free_value_does_not_see_the_frozen_scores():
    f = scores(1.0, 0.5)
    settings = LossSettings(form="reference-free", beta=3.0, gamma=0.4)
    expected = math.log(1 + math.exp(-(3 * 0.5 - 0.4)))
    for base in ([0.0, 0.0], [5.0, -5.0]):
        frozen = torch.tensor(base, dtype=torch.float64)
        loss = preference_loss(f, frozen, torch.tensor([[0, 1]]), settings)
        assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("form", ["dpo", "reference-free"])
def test_descent_raises_the_better_and_lowers_the_worse(form: Any):
    f = scores(0.1, 0.2, 0.3)
    better, worse, neither = gradient(
        preference_loss(f, f.detach(), torch.tensor([[0, 1]]), LossSettings(form=form)), f
    )
    assert better < 0 < worse
    assert better == pytest.approx(-worse)
    assert neither == 0


def test_extreme_margins_stay_finite():
    f = scores(-1e4, 1e4)
    loss = preference_loss(f, torch.zeros(2, dtype=torch.float64), torch.tensor([[0, 1]]), LossSettings())
    assert loss.item() == pytest.approx(4e4)
    assert all(map(math.isfinite, gradient(loss, f)))


# --- regularisers: value, optimum, direction ---


def test_soft_grades_value():
    f = scores(1.0, 0.0, 7.0, 0.5)  # the unjudged 7 plays no part
    weights = [math.exp(4), math.exp(0), math.exp(2)]  # grade / .5
    y = [w / sum(weights) for w in weights]
    total = math.exp(1.0) + math.exp(0.0) + math.exp(0.5)
    log_p = [1.0 - math.log(total), -math.log(total), 0.5 - math.log(total)]
    expected = sum(a * (math.log(a) - b) for a, b in zip(y, log_p, strict=True))
    loss = regulate(f, "soft-grades")
    assert loss.item() == pytest.approx(expected)
    assert gradient(loss, f)[2] == 0


def test_soft_grades_is_zero_where_scores_follow_grades():
    f = scores(2.0 / 0.5 - 3, -3.0, 99.0, 1.0 / 0.5 - 3)
    loss = regulate(f, "soft-grades")
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert gradient(loss, f) == pytest.approx([0] * 4, abs=1e-12)
    assert regulate(f.detach() * 1.1, "soft-grades").item() > 0.001
    assert regulate(scores(4.0, 0.0, 0.0, 2.0), "soft-grades", tau=0.25).item() > 0.01


def test_variance_is_the_shortfall_in_the_middle():
    f = scores(50.0, 1.0, 1.2, 1.4, -50.0)  # positions 2..4: standard deviation .2 (unbiased)
    loss = regulate(f, "variance")
    assert loss.item() == pytest.approx((0.5 - 0.2) ** 2)
    outer, low, middle, high, last = gradient(loss, f)
    assert low > 0 > high  # descent spreads them
    assert (outer, last) == (0, 0)
    assert middle == pytest.approx(0, abs=1e-9)
    assert regulate(scores(0, 1.0, 1.5, 2.0), "variance").item() == pytest.approx(0, abs=1e-12)
    assert regulate(scores(0, 1.0, 3.0, 5.0), "variance").item() == 0  # a floor, not a target
    assert regulate(f, "variance", sigma=0.2).item() == pytest.approx(0, abs=1e-12)


def test_entropy_is_a_squared_distance_from_the_target():
    p = [0.7, 0.1, 0.2]
    f = scores(*(math.log(x) + 3 for x in p))
    entropy = -sum(x * math.log(x) for x in p) / math.log(3)
    assert regulate(f, "entropy").item() == pytest.approx((entropy - 0.5) ** 2)
    assert regulate(f, "entropy", entropy_target=entropy).item() == pytest.approx(0, abs=1e-12)
    assert gradient(regulate(f, "entropy"), f)[0] < 0  # more on the top document, less entropy


def test_base_is_the_divergence_from_the_frozen_scores():
    f, base = scores(1.0, 0.0), torch.tensor([0.0, 0.0], dtype=torch.float64)
    total = math.exp(1) + 1
    expected = 0.5 * (math.log(0.5) - (1 - math.log(total))) + 0.5 * (math.log(0.5) + math.log(total))
    assert regulate(f, "base", base).item() == pytest.approx(expected)
    assert regulate(f, "base", f.detach() + 5).item() == pytest.approx(0, abs=1e-12)


def test_none_is_zero():
    f = scores(1.0, 0.0, 2.0, 3.0)
    assert gradient(regulate(f, "none"), f) == [0] * 4


# --- degenerate lists ---


def test_no_pairs_give_zero_with_a_gradient():
    f = scores(1.0, 2.0)
    loss = preference_loss(f, f.detach(), NO_PAIRS, LossSettings())
    assert loss.item() == 0
    assert gradient(loss, f) == [0, 0]
    assert math.isnan(pair_accuracy(f, NO_PAIRS))


@pytest.mark.parametrize("form", ["soft-grades", "variance", "entropy", "base", "none"])
@pytest.mark.parametrize(
    ("values", "grades"),
    [
        ((1.0,), (0,)),
        ((1.0,), (-1,)),
        ((1.0, 1.0, 1.0, 1.0), (-1, -1, -1, -1)),
        ((1.0, 1.0, 1.0, 1.0), (1, 1, 1, 1)),
    ],
)
def test_regularisers_are_finite_on_degenerate_lists(
    form: Any, values: tuple[float, ...], grades: tuple[int, ...]
):
    f = scores(*values)
    loss = regulate(f, form, grades=torch.tensor(grades))
    assert math.isfinite(loss.item())
    assert loss.item() >= -1e-12
    assert all(map(math.isfinite, gradient(loss, f)))


def test_pair_accuracy_counts_ties_as_wrong():
    f = torch.tensor([2.0, 1.0, 1.0])
    assert pair_accuracy(f, torch.tensor([[0, 1], [1, 0], [1, 2], [0, 2]])) == 0.5
