"""HeadRank: decoding-free passage reranking with preference-aligned attention heads."""

__version__ = "0.1.0"
