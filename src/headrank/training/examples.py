"""Training examples (R6 to R8): each list with its prompt, grades, frozen scores and pairs, and the held-out part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from headrank.data.training_lists import by_list
from headrank.errors import PrerequisiteError, naming
from headrank.prompts.builder import Prompt, PromptBuilder

if TYPE_CHECKING:
    from headrank.data.collections import Document


@dataclass(frozen=True)
class Example:
    """One training list: its prompt, grades, frozen scores and pairs, all by prompt position."""

    list_id: int
    qid: str
    sample: int
    prompt: Prompt
    grades: Tensor
    base: Tensor
    pairs: Tensor


def make_examples(
    lists: pd.DataFrame,
    pairs: pd.DataFrame,
    base: pd.DataFrame,
    queries: Mapping[str, str],
    passages: Mapping[str, Document],
    builder: PromptBuilder,
) -> list[Example]:
    """Join lists, pairs and frozen scores into training examples, in list order."""
    mined, frozen = by_list(pairs), by_list(base)
    examples = []
    for list_id, group in by_list(lists).items():
        if list_id not in frozen:
            raise PrerequisiteError(
                f"training list {list_id} has no frozen scores: mine the pairs on the same lists"
            )
        qid = str(group["qid"].iloc[0])
        with naming(f"training list {list_id} (query {qid!r})"):
            prompt = builder.build(queries[qid], [passages[docid] for docid in group["docid"]])
        chosen = mined[list_id][["better", "worse"]].to_numpy() if list_id in mined else np.empty((0, 2))
        scores = frozen[list_id]["score"].to_numpy()
        examples.append(
            Example(
                list_id,
                qid,
                int(group["sample"].iloc[0]),
                prompt,
                torch.from_numpy(group["grade"].to_numpy(np.int64).copy()),
                torch.from_numpy(scores.astype(np.float32)),
                torch.from_numpy(chosen.astype(np.int64)),
            )
        )
    return examples


def split_queries(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Split by query into training and held-out examples; a query's lists stay together."""
    qids = sorted({e.qid for e in examples})
    count = round(share * len(qids))
    held = set(np.random.default_rng([seed, 20]).permutation(np.array(qids))[:count])
    return [e for e in examples if e.qid not in held], [e for e in examples if e.qid in held]
