"""Who is measured: each way to score one list, with what it reads and computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from headrank.bench import alternatives
from headrank.bench.workload import Workload
from headrank.cost.measured import GENERATIVE, PRODUCT
from headrank.cost.multiply_adds import Shape, full_operations, layer_operations, truncated_operations
from headrank.cost.ratios import REFERENCE
from headrank.engine.attention import run
from headrank.engine.backbone import Backbone
from headrank.engine.capture import Capture
from headrank.engine.packing import Segment
from headrank.generative.chat import Chat
from headrank.generative.settings import GenerativeSettings
from headrank.generative.task import Called, Query, hold
from headrank.heads.head_set import HeadSet
from headrank.methods.table import ASKED
from headrank.rerankers import Candidates, rerank_together
from headrank.rerankers.headrank import headrank
from headrank.rerankers.icr import icr
from headrank.rerankers.method import Method
from headrank.settings import Settings

# The side of the matrices whose product measures the machine's rate, and how many products a round takes: on a
# processor a single one is so short that it may fall into a moment in which the machine is slower or faster than over a
# pass.
SIDE = {"cpu": 4096, "cuda": 8192}
PRODUCTS = 5


@dataclass(frozen=True)
class Contender:
    """One way to score the list.

    depth: the fraction of the layers that runs, 1 for all. operations: floating-point operations, two per multiply-add,
    of products only. tokens: read in all passes. run: does it once; if it scores, it returns the scores by prompt
    position. training: it needs gradients.
    """

    name: str
    layers: int
    depth: float
    passes: float
    tokens: int
    operations: float
    run: Callable[[], Any]
    training: bool = False


@dataclass(frozen=True)
class Bench:
    """The list to score and what scores it. lists: how many copies of it HeadRank reads in one pass."""

    backbone: Backbone
    workload: Workload
    chat: Chat
    settings: Settings
    lists: int = 1

    @property
    def shape(self) -> Shape:
        config: Any = self.backbone.model.config
        return Shape.of(config.to_dict())

    @property
    def tokens(self) -> int:
        """Of prefix and query."""
        return len(self.workload.prompt.prefix) + len(self.workload.prompt.query.ids)


def spread_heads(backbone: Backbone, layers: int, count: int) -> HeadSet:
    """``count`` heads over the upper half of the first ``layers``, the last one in the deepest."""
    lowest = layers // 2
    chosen = [
        (lowest + (layers - 1 - lowest) * (i + 1) // count, i * 5 % backbone.n_heads) for i in range(count)
    ]
    heads = tuple(dict.fromkeys(chosen))
    return HeadSet("bench", backbone.name, backbone.n_layers, backbone.n_heads, heads, (0.0,) * len(heads))


def layers_at(depth: float, backbone: Backbone) -> int:
    """How many layers a fraction of them is, at least one."""
    return max(1, round(depth * backbone.n_layers))


def different(depths: Iterable[float], backbone: Backbone) -> list[float]:
    """Depths in order; of those that run equally many layers, the one nearest ``REFERENCE``, which others need."""
    nearest_last = sorted(depths, key=lambda depth: -abs(depth - REFERENCE))
    return sorted({layers_at(depth, backbone): depth for depth in nearest_last}.values())


def at_depth(bench: Bench, depth: float) -> list[Contender]:
    """HeadRank cut off at a fraction of the layers, the plain pass over as many, and one that stops where it does."""
    layers = layers_at(depth, bench.backbone)
    heads = spread_heads(bench.backbone, layers, bench.settings.selection.k)
    method = headrank(heads, bench.settings)
    start, stop = bench.workload.prompt.query.rows(bench.settings.query_span)
    operations = bench.lists * truncated_operations(
        bench.shape, layers, bench.tokens, stop - start, len(heads.heads)
    )
    plain = layers * layer_operations(bench.shape, bench.tokens)
    bare = truncated_operations(bench.shape, layers, bench.tokens, 0, 0)
    return [
        Contender(
            "headrank",
            layers,
            depth,
            1,
            bench.lists * bench.tokens,
            2 * operations,
            lambda: _score(bench, method),
        ),
        Contender(
            "forward",
            layers,
            depth,
            1,
            bench.tokens,
            2 * plain,
            lambda: alternatives.forward(bench.backbone, bench.workload.prompt, layers),
        ),
        Contender("stopped", layers, depth, 1, bench.tokens, 2 * bare, lambda: _stopped(bench, layers)),
    ]


def frozen(bench: Bench) -> list[Contender]:
    """ICR over all layers: by this library, and as others compute it."""
    backbone, prompt, shape = bench.backbone, bench.workload.prompt, bench.shape
    layers, prefix, null = backbone.n_layers, len(prompt.prefix), len(prompt.null.ids)
    behind = layer_operations(shape, prefix + null) - layer_operations(shape, prefix)
    rows = bench.tokens - prefix + null
    # As in two passes, minus the rest of the last layer, plus the read rows of all heads computed once more.
    once = (
        truncated_operations(shape, layers, bench.tokens, rows, layers * shape.heads) + (layers - 1) * behind
    )
    twice = layers * (layer_operations(shape, bench.tokens) + behind)
    separate = full_operations(shape, bench.tokens) + full_operations(shape, prefix + null)
    method = icr(backbone)

    def contender(
        name: str, passes: int, tokens: int, operations: float, run: Callable[[], Any]
    ) -> Contender:
        return Contender(name, layers, 1.0, passes, tokens, 2 * operations, run)

    shared, apart = bench.tokens + null, bench.tokens + prefix + null
    return [
        contender("icr", 1, shared, once, lambda: _score(bench, method)),
        contender("two-passes", 2, shared, twice, lambda: alternatives.two_passes(backbone, prompt)),
        contender("eager", 2, apart, separate, lambda: alternatives.eager(backbone, prompt)),
        contender(
            "all-attentions", 2, apart, separate, lambda: alternatives.all_attentions(backbone, prompt)
        ),
    ]


def generative(bench: Bench, name: str, settings: GenerativeSettings | None = None) -> Contender:
    """A method of ``headrank.generative``; what it reads is only known when it has run (``with_counts``)."""
    settings = settings or GenerativeSettings()
    chat, work = bench.chat, bench.workload
    passages = tuple(chat.text(f" {d.text}") for d in work.documents)
    query = Query("bench", work.query, chat.text(f" {work.query}"), passages, chat, settings)

    def go() -> list[Called]:
        [(_, called)] = hold(bench.backbone, [("bench", ASKED[name].ask(query))], settings.batch_tokens, name)
        return called

    return Contender(name, bench.backbone.n_layers, 1.0, 0, 0, 0, go)


def with_counts(contender: Contender, bench: Bench, result: Any) -> Contender:
    """The contender with what it read and computed, for those whose calls show it (``generative``).

    With a key/value cache each token is computed once; the LM head gives one row of logits per call or token written.
    """
    if contender.name not in GENERATIVE:
        return contender
    calls: Sequence[Called] = result
    config: Any = bench.backbone.model.config
    head = config.hidden_size * config.vocab_size
    operations, tokens, passes = 0.0, 0, 0
    for call in calls:
        written = max(call.answer.tokens, 1)
        operations += full_operations(bench.shape, call.prompt_tokens + written - 1) + written * head
        tokens += call.prompt_tokens + written - 1
        passes += written
    return replace(contender, passes=passes, tokens=tokens, operations=2 * operations)


def matrix_product(bench: Bench) -> Contender:
    """Products of two square matrices of the backbone's type: operations over time are the machine's rate."""
    weight = next(bench.backbone.model.parameters())
    side = SIDE.get(weight.device.type, SIDE["cuda"])
    a, b, c = (torch.full((side, side), 0.5, dtype=weight.dtype, device=weight.device) for _ in range(3))

    def run() -> None:
        for _ in range(PRODUCTS):
            torch.matmul(a, b, out=c)

    return Contender(PRODUCT, 0, 0.0, 0, 0, 2 * PRODUCTS * side**3, run)


def _score(bench: Bench, method: Method) -> list[float]:
    """As in a search stack: from text to scores, with the passages' tokens known from an earlier query."""
    work = bench.workload
    candidates = [Candidates(f"bench-{i}", work.query, work.documents) for i in range(bench.lists)]
    # The budget of a pass counts the null query too.
    together = bench.lists * (bench.tokens + len(work.prompt.null.ids))
    frame = rerank_together(bench.backbone, work.builder, [method], candidates, "best-first", together)
    rows = frame[method.name]
    return list(rows[rows["qid"] == candidates[0].qid].sort_values("position")["score"])


def _stopped(bench: Bench, layers: int) -> None:
    prompt = bench.workload.prompt
    segment = Segment(0, len(prompt.prefix), (len(prompt.query.ids),))
    capture = Capture([segment], [], {layers - 1: (0,)})
    run(bench.backbone.decoder, [[*prompt.prefix, *prompt.query.ids]], capture)
