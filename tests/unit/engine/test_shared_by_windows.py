"""What two windows of a list could share: the states of a passage depend on all that stands before it in the prompt.

So nothing of a passage can be kept from one window for the next, unless passages are read independently of each other;
then a list needs no windows (``Ready.alone``), and each passage is computed once.
"""

from __future__ import annotations

import pytest
import torch
from support import PLAIN, passages, tiny_backbone

from headrank.engine.forward import prompt_states
from headrank.prompts.builder import Prompt, PromptBuilder
from headrank.settings import EncodingSettings, PromptSettings

DOCUMENTS = passages(6)
LAYER = 3


def states(kind: str, documents: list[int], encoding: EncodingSettings) -> tuple[Prompt, torch.Tensor]:
    backbone = tiny_backbone(kind)
    builder = PromptBuilder(backbone.tokenizer, PromptSettings(), encoding=encoding)
    prompt = builder.build("red oak", [DOCUMENTS[i] for i in documents])
    return prompt, prompt_states(backbone, prompt, ["query"], LAYER)[0]


def of_passage(prompt: Prompt, found: torch.Tensor, place: int) -> torch.Tensor:
    return found[slice(*prompt.text[place])]


@pytest.mark.parametrize("kind", PLAIN)
def test_windows_share_the_opening_and_nothing_of_their_passages(kind: str) -> None:
    joint = EncodingSettings()
    # The back of a list, and the next window: two new passages before the better two.
    one, first = states(kind, [2, 3, 4, 5], joint)
    other, second = states(kind, [0, 1, 4, 2], joint)
    opening = one.labelled[0][0]
    torch.testing.assert_close(first[:opening], second[:opening], rtol=0, atol=1e-5)
    for in_one, in_other in ((2, 2), (0, 3)):
        same = of_passage(one, first, in_one), of_passage(other, second, in_other)
        assert (same[0] - same[1]).abs().max() > 1e-2


@pytest.mark.parametrize("kind", PLAIN)
def test_a_passage_that_is_read_alone_has_the_same_states_in_every_list(kind: str) -> None:
    independent = EncodingSettings("independent")
    one, first = states(kind, [2, 3, 4, 5], independent)
    other, second = states(kind, [0, 1, 4, 2], independent)
    for in_one, in_other in ((2, 2), (0, 3)):
        same = of_passage(one, first, in_one), of_passage(other, second, in_other)
        torch.testing.assert_close(*same, rtol=0, atol=1e-5)
