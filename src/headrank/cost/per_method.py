"""How much of its backbone each method of a study runs, from the sizes of its prompts and of what it wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from headrank.cost.multiply_adds import Shape, full_operations, truncated_operations

Place = tuple[str, str]
"""(backbone, method)."""

COLUMNS = [
    *("backbone", "method", "layers_run", "layers_total", "heads", "forward_passes", "prompt_tokens"),
    *("new_tokens", "share"),
]
# HeadRank's prompt is the shortest: a method with longer prompts pays for them.
MEASURE = "headrank"


def cost_per_method(
    rankings: Iterable[tuple[Place, pd.DataFrame]],
    calls: Iterable[tuple[Place, pd.DataFrame]],
    shapes: Mapping[str, Shape],
    heads: Mapping[Place, tuple[int, int]],
    independent: Collection[str] = (),
) -> pd.DataFrame:
    """A row per backbone and method, see ``tables.cost_table`` for the columns; numbers are means over queries.

    rankings: per benchmark the columns qid, tokens and rows (of the prompt, equal for all documents of a query), a row
    per document. calls: per benchmark what generative methods asked, see ``generative.calls``. heads: head set ->
    (layers that it needs, its number of heads). independent: methods whose passages do not see each other.
    Multiply-adds are a share of one full-depth pass over HeadRank's prompt or, without HeadRank, over the shortest
    prompt.
    """
    prompts: dict[Place, list[pd.DataFrame]] = {}
    for place, ranking in rankings:
        documents = ranking.groupby("qid")["qid"].transform("size")
        prompts.setdefault(place, []).append(ranking.assign(documents=documents).drop_duplicates("qid"))
    answered: dict[Place, list[pd.DataFrame]] = {}
    for (backbone, method), asked in calls:
        # Queries of several benchmarks may share ids: each file is summed separately.
        of_query = calls_per_query(asked, shapes[backbone])
        answered.setdefault((backbone, method), []).append(of_query)
    shortest = {backbone: _shortest(prompts, answered, backbone) for backbone, _ in prompts}
    rows: list[tuple[object, ...]] = []
    for (backbone, method), parts in prompts.items():
        shape = shapes[backbone]
        full = full_operations(shape, shortest[backbone])
        if (backbone, method) in answered:
            told = pd.concat(answered[backbone, method]).mean()
            numbers = (told["passes"], told["prompt_tokens"], told["new_tokens"], told["operations"] / full)
            rows.append((backbone, method, shape.layers, shape.layers, float("nan"), *numbers))
            continue
        tokens, read, documents = pd.concat(parts)[["tokens", "rows", "documents"]].mean()
        every = (shape.layers, shape.layers * shape.heads)
        layers, count = heads.get((backbone, head_set_of(method)), every)
        alone = documents if method in independent else 1
        share = truncated_operations(shape, layers, tokens, read, count, alone) / full
        rows.append((backbone, method, layers, shape.layers, count, 1.0, tokens, 0.0, share))
    return pd.DataFrame(rows, columns=COLUMNS)


def _shortest(
    prompts: Mapping[Place, list[pd.DataFrame]], answered: Collection[Place], backbone: str
) -> float:
    """Mean tokens of HeadRank's prompts; of a study without it, of the method that reads fewest in one pass."""
    here = {place: parts for place, parts in prompts.items() if place[0] == backbone}
    read = {place: parts for place, parts in here.items() if place not in answered} or here
    tokens = {method: pd.concat(parts)["tokens"].mean() for (_, method), parts in read.items()}
    return float(tokens.get(MEASURE, min(tokens.values())))


def calls_per_query(calls: pd.DataFrame, shape: Shape) -> pd.DataFrame:
    """What a method asked the model to do for each query: passes, prompt_tokens, new_tokens, operations.

    With a key/value cache every token is computed once.
    """
    # The last token written is never read.
    read = calls["prompt_tokens"] + (calls["new_tokens"] - 1).clip(lower=0)
    operations = [full_operations(shape, tokens) for tokens in read]
    passes = calls["new_tokens"].clip(lower=1)
    each = calls.assign(operations=operations, passes=passes)
    return each.groupby("qid")[["passes", "prompt_tokens", "new_tokens", "operations"]].sum()


def head_set_of(method: str) -> str:
    """Whose heads a method reads: re-weighted, faithful, calibrated and untrained forms read those of the plain one."""
    name = method.removeprefix("reattn-")
    return name.removesuffix("-untrained").removesuffix("-faithful").removesuffix("-ratio")
