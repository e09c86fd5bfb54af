"""From heads' masses to document scores: by hand, and alike for tensors and arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headrank.engine.list_scores import add_heads, list_scores, list_shares, of_the_sum, over_length

SHARES = [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]


def test_lengths_divide_by_a_power_and_an_empty_document_counts_one():
    mass, lengths = torch.tensor([[8.0, 6.0, 5.0]]), torch.tensor([4.0, 9.0, 0.0])
    assert over_length(mass, lengths, 0.5).tolist() == [[4.0, 2.0, 5.0]]
    assert over_length(mass, lengths, 1.0).tolist() == [[2.0, pytest.approx(2 / 3), 5.0]]
    assert over_length(mass, lengths, 0.0) is mass


def test_shares_add_up_to_one_and_negative_masses_count_as_nothing():
    shares = list_shares(torch.tensor([[0.3, -0.4, 0.1], [0.0, 0.0, 0.0]]), 0.1)
    torch.testing.assert_close(
        shares, torch.tensor([[0.4, 0.1, 0.2], [0.1, 0.1, 0.1]]) / torch.tensor([[0.7], [0.3]])
    )
    assert of_the_sum(torch.tensor([[1.0, 3.0]])).tolist() == [[0.25, 0.75]]


def test_ratios_take_out_what_a_document_draws_whatever_is_asked():
    null = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    query = torch.tensor([[0.5, 0.4, 0.1], [0.1, 0.1, 0.8]])
    found = list_shares(query, 0.0, null)
    expected = torch.tensor([[5 / 7, 2.0, 1.0], [1.0, 1.0, 1.0]])
    torch.testing.assert_close(found, expected / expected.sum(dim=1, keepdim=True))
    # Whatever one prior multiplies in both cancels.
    prior = torch.tensor([9.0, 1.0, 3.0])
    torch.testing.assert_close(list_shares(query * prior, 0.0, null * prior), found)


def test_heads_are_added_as_they_are_or_as_logarithms():
    shares = torch.tensor(SHARES)
    assert add_heads(shares, logarithm=False).tolist() == pytest.approx([0.6, 1.05, 0.35])
    assert add_heads(shares, logarithm=True).tolist() == pytest.approx(np.log([0.05, 0.2, 0.025]))


def test_list_scores():
    shares = torch.tensor(SHARES)
    assert list_scores(shares, "log-mean").tolist() == pytest.approx(np.log([0.3, 0.525, 0.175]))
    assert list_scores(shares, "mean-log").tolist() == pytest.approx(np.log([0.05, 0.2, 0.025]) / 2)
    assert list_scores(shares, "mass").tolist() == pytest.approx([0.6, 1.05, 0.35])


@pytest.mark.parametrize("form", ["log-mean", "mean-log", "mass"])
@pytest.mark.parametrize("calibrated", [False, True])
def test_tensors_and_arrays_have_the_same_scores(form: str, calibrated: bool):
    """In float64 both round each operation to 53 bits; only the order of a sum's terms may differ."""
    rng = np.random.default_rng(0)
    mass, null = rng.normal(size=(2, 16, 40))
    lengths = rng.integers(0, 300, 40).astype(np.float64)
    found = []
    for make in (np.asarray, torch.from_numpy):
        a, b, n = make(mass), make(null), make(lengths)
        shares = list_shares(over_length(a, n, 0.5), 1e-6, over_length(b, n, 0.5) if calibrated else None)
        assert type(shares) is type(a)
        found.append(np.asarray(list_scores(shares, form)))
    np.testing.assert_allclose(*found, rtol=1e-13)


def test_gradients_flow_through_the_scores():
    mass = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    lengths = torch.tensor([3.0, 1.0, 2.0, 4.0, 5.0], dtype=torch.float64)
    for form in ("log-mean", "mean-log", "mass"):
        assert torch.autograd.gradcheck(
            lambda m, form=form: list_scores(list_shares(over_length(m, lengths, 1.0), 1e-3), form), (mass,)
        )
