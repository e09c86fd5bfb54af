"""What ``headrank bench`` measures, by name; without PyTorch, so that tables and figures need not load it."""

# Truncated at each depth; over the whole model; generative, by writing or by logits.
TRUNCATED = ("headrank", "forward", "stopped")
WHOLE = ("icr", "two-passes", "eager", "all-attentions")
GENERATIVE = ("qwen3-reranker", "first", "rankgpt")
# Training steps; they leave an adapter on the backbone and are measured on their own.
TRAINING = ("train-plain", "train", "train-chosen", "train-kept")
# What the machine can do at best.
PRODUCT = "matrix-product"
NAMES = (*TRUNCATED, *WHOLE, *GENERATIVE)
COLUMNS = [
    *("backbone", "dtype", "device", "threads", "n", "passage_tokens", "method", "layers", "depth"),
    *("passes", "tokens", "operations", "memory", "round", "seconds"),
]
# What a pass grows with, one at a time.
SIZES = ("n", "words", "depth", "lists")
SIZE_TITLES = {
    "n": "passages",
    "words": "words of a passage",
    "depth": "layers run",
    "lists": "lists in a pass",
    "model": "parameters run",
}
GROWTH_COLUMNS = [
    *("backbone", "dtype", "device", "threads", "varied", "n", "words", "depth", "lists", "layers", "tokens"),
    *("products", "attention", "weights", "memory", "predicted_memory", "weight_memory", "round", "seconds"),
]
TITLES = {
    "headrank": "HeadRank",
    "forward": "plain forward pass",
    "stopped": "forward pass that stops there",
    "icr": "ICR in one pass",
    "two-passes": "ICR in two passes",
    "eager": "ICR, eager attention",
    "all-attentions": "ICR, all attentions kept",
    "qwen3-reranker": "Qwen3-Reranker, pointwise",
    "first": "FIRST",
    "rankgpt": "RankGPT",
    "train-plain": "plain peft loop, eager attention",
    "train": "HeadRank's step",
    "train-chosen": "chosen layers alone",
    "train-kept": "with the states below kept",
    PRODUCT: "matrix product",
}
