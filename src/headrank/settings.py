"""The method's settings, one frozen dataclass per R-number of docs/methods.md.

The defaults are the reconstruction's; the configuration's ``headrank:`` section has the same names, and
``workflow/schemas`` describes every key. ``Settings.from_mapping`` turns that section into these classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from headrank.specs import (
    Count,
    Natural,
    NotNegative,
    Positive,
    PositiveShare,
    ProperShare,
    Seed,
    Several,
    Share,
    Times,
    read_spec,
)

QuerySpan = Literal["query", "instruction+query", "instruction+query+suffix"]
DocumentSpan = Literal["text", "labelled"]


@dataclass(frozen=True)
class PromptSettings:
    """R1: the prompt that every method shares.

    truncate_words, truncate_tokens: passages are cut to this many words or, if tokens are given, to this many tokens
    (``headrank.prompts.passage_length``).
    """

    family: str = "qwen3"
    truncate_words: Count = 300
    truncate_tokens: Count | None = None
    use_title: bool = True
    instruction: str = (
        "Please find information that are relevant to the following query in the paragraphs above."
    )


@dataclass(frozen=True)
class EncodingSettings:
    """Whether passages are read one after the other or each on its own, and which of their tokens the query sees.

    ``independent`` passages begin at the same position and do not see each other (CompRank). Of each passage, ``last``
    keeps the last ``keep`` tokens, and ``segment`` keeps the last token of every ``keep``.
    """

    documents: Literal["joint", "independent"] = "joint"
    compression: Literal["none", "last", "segment"] = "none"
    keep: Count = 10


@dataclass(frozen=True)
class CandidateSettings:
    """R3: how many candidates there are, and their order in the prompt."""

    depth: Several = 40
    order: Literal["best-first", "best-last", "shuffled"] = "best-first"


@dataclass(frozen=True)
class MassSettings:
    """R4: a document's mass is divided by its token count to the power alpha; epsilon of the list normalisation.

    calibration: ``ratio`` divides each head's shares of the list by those under the null query.
    """

    length_alpha: Share = 0.0
    epsilon: Positive = 1e-6
    calibration: Literal["none", "ratio"] = "none"


@dataclass(frozen=True)
class SelectionSettings:
    """R5: entropy-regularised head selection.

    masses: a head's raw masses (R4), or the calibrated masses that QRHead and ICR use, over the rows from the
    instruction to the prompt's end: the null query's masses are subtracted and outliers masked. depth: the share of the
    layers, from the first, that heads may come from.
    """

    masses: Literal["raw", "calibrated"] = "raw"
    depth: PositiveShare = 1.0
    k: Count = 8
    entropy_weight: NotNegative = 0.2
    statistic: Literal["auc", "core"] = "auc"
    core_temperature: Positive = 0.001
    entropy: Literal["list", "token"] = "list"
    combine: Literal["additive", "multiplicative"] = "additive"
    min_discrimination: Share = 0.5
    stability_std: Positive | None = None
    stability_folds: Several = 5
    permutations: Times = 3


@dataclass(frozen=True)
class ListSettings:
    """R6: training lists.

    documents: judged ones by grade, filled up with others, or the first stage's candidates, as in test lists.
    order: the order in the prompt, a random permutation or the first stage's.
    spread: a list has size - spread to size + spread documents, drawn uniformly.
    unjudged: context that no loss sees, or irrelevant, as evaluation counts unjudged documents.
    """

    documents: Literal["judged", "candidates"] = "judged"
    order: Literal["random", "first-stage"] = "random"
    size: Several = 40
    spread: Natural = 0
    per_grade: Count = 8
    per_query_per_epoch: Times = 10
    dedupe: bool = True
    pool: Count = 100
    irrelevant: Literal["hardest", "random"] = "hardest"
    fill_unjudged: bool = True
    unjudged: Literal["context", "irrelevant"] = "context"


@dataclass(frozen=True)
class PairSettings:
    """R7: hard adjacent-level preference pairs.

    middle_zone: the zone's first and last prompt position, counted from 1; ``middle`` counts from 0.
    """

    strategy: Literal["adjacent-hard", "adjacent", "random"] = "adjacent-hard"
    per_list: Count = 64
    middle_share: Share = 0.5
    middle_zone: tuple[Count, Count] = (11, 30)
    remine: Literal["never", "epoch", "step"] = "never"

    @property
    def middle(self) -> slice:
        """The middle zone as a slice of a list's documents."""
        return slice(self.middle_zone[0] - 1, self.middle_zone[1])


@dataclass(frozen=True)
class LossSettings:
    """R8: the preference loss in the attention domain, and the losses of QRRanker and CompRank.

    scale: QRRanker's list of scores is stretched to 0..scale. relevant: the lowest grade that these two losses take as
    positive.
    """

    form: Literal["dpo", "reference-free", "group-contrastive", "pointer"] = "dpo"
    beta: Positive = 2.0
    gamma: NotNegative = 0.5
    score: Literal["log-mean", "mean-log", "mass"] = "log-mean"
    scale: Positive = 8.0
    relevant: Count = 1


@dataclass(frozen=True)
class RegulariserSettings:
    """R9: the distribution regulariser."""

    form: Literal["soft-grades", "variance", "entropy", "base", "none"] = "soft-grades"
    weight: NotNegative = 0.5
    tau: Positive = 0.5
    sigma: NotNegative = 0.5
    entropy_target: Share = 0.5


@dataclass(frozen=True)
class TrainingSettings:
    """R10: what is trained and how. first_layer: the share of the model's layers, from the first, that stay frozen."""

    lora_r: Count = 16
    lora_alpha: Count = 32
    lora_dropout: ProperShare = 0.05
    modules: Literal["all", "qk", "chosen-qk"] = "all"
    first_layer: ProperShare = 0.0
    learning_rate: Positive = 1e-4
    weight_decay: NotNegative = 0.0
    warmup: Share = 0.05
    clip: Positive = 1.0
    batch_lists: Count = 8
    tokens_per_pass: Natural = 0
    epochs: Times = 3
    seed: Seed = 0
    heldout_share: ProperShare = 0.2
    early_stopping: Literal["none", "loss", "pair_accuracy", "ndcg"] = "ndcg"
    patience: Count | None = None
    queries: Count | None = None
    activation_gib: NotNegative | None = None
    checkpoint_every: Natural = 50
    cache_gib: NotNegative = 1.0


@dataclass(frozen=True)
class BaselineSettings:
    """Head selection of the methods other than HeadRank, and ReAttn's weight (docs/methods.md says what is assumed).

    core_temperatures: if there are several, the one whose heads rank best on the share ``core_heldout`` of the
    detection queries is used. core_prune: share of the layers that core-pruned leaves out. selective_layers,
    selective_spread: the width of Selective-ICR's band in layers, and how far its preference for the middle reaches, as
    a share of the depth.
    """

    qrhead_k: Count = 16
    core_k: Count = 8
    core_temperatures: tuple[Positive, ...] = (0.001, 0.01, 0.1, 1.0)
    core_heldout: ProperShare = 0.2
    core_prune: ProperShare = 0.5
    selective_layers: Count = 4
    selective_spread: Positive = 0.25
    reattn_entropy: NotNegative = 0.5
    relevant: Count = 1


@dataclass(frozen=True)
class RouteSettings:
    """RouteHead's label search and router; none of its numbers is public, so each is an assumption.

    candidates: how many heads the router chooses among, those with the best nDCG@10 when used alone. budget: the most
    heads that a label has, and how many heads are used where the router selects none. layer: the layer whose incoming
    hidden states describe the query; None means the middle of the model.
    """

    candidates: Count = 64
    budget: Count = 16
    layer: Natural | None = None
    dimension: Count = 128
    sparsity: NotNegative = 1e-3
    threshold: Share = 0.5
    learning_rate: Positive = 1e-3
    epochs: Times = 10
    batch: Count = 32

    def states_layer(self, n_layers: int) -> int:
        """The layer whose incoming states the router reads, in a model of ``n_layers``."""
        return n_layers // 2 if self.layer is None else self.layer


@dataclass(frozen=True)
class InferenceSettings:
    """R11: null-prompt calibration and the outlier mask at inference, both off by default."""

    calibrate: bool = False
    outlier_mask: bool = False


@dataclass(frozen=True)
class Settings:
    """All of HeadRank's settings; with other heads and losses they are the settings of other trained methods.

    heads: the method whose criterion chooses the heads that are trained (``headrank.methods.table.CRITERIA``).
    """

    heads: str = "headrank"
    prompt: PromptSettings = field(default_factory=PromptSettings)
    encoding: EncodingSettings = field(default_factory=EncodingSettings)
    query_span: QuerySpan = "query"  # R2
    document_span: DocumentSpan = "text"
    candidates: CandidateSettings = field(default_factory=CandidateSettings)
    mass: MassSettings = field(default_factory=MassSettings)
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    lists: ListSettings = field(default_factory=ListSettings)
    pairs: PairSettings = field(default_factory=PairSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    regulariser: RegulariserSettings = field(default_factory=RegulariserSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    routehead: RouteSettings = field(default_factory=RouteSettings)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Settings:
        """Build settings from nested mappings; keys left out keep their defaults.

        Raises InputError naming an unknown key with the closest known one, or a key whose value has the wrong type or
        is none of the known choices.
        """
        return read_spec(cls, mapping, "headrank")


def to_mapping(settings: Any) -> dict[str, Any]:
    """The nested plain mapping of a settings object, as stored in provenance files."""
    return dataclasses.asdict(settings)
