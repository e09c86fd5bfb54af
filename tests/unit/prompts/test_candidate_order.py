"""The order of the candidates in the prompt."""

from __future__ import annotations

import pytest

from headrank.errors import InputError
from headrank.prompts.candidate_order import prompt_order


def test_prompt_orders():
    assert prompt_order("q", 3, "best-first") == [0, 1, 2]
    assert prompt_order("q", 3, "best-last") == [2, 1, 0]
    shuffled = prompt_order("q", 40, "shuffled")
    assert sorted(shuffled) == list(range(40))
    assert shuffled == prompt_order("q", 40, "shuffled")
    assert shuffled != prompt_order("r", 40, "shuffled")
    with pytest.raises(
        InputError, match=r"candidates\.order: unknown order 'worst-first'; known: best-first"
    ):
        prompt_order("q", 3, "worst-first")
