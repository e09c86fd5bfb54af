"""Reranking methods on the shared engine, one file each."""

from headrank.data.rankings import as_run
from headrank.rerankers.candidates import (
    Candidates,
    gather_candidates,
    queries_of_shard,
    read_candidates_of,
    shard_of_candidates,
)
from headrank.rerankers.comprank import comprank
from headrank.rerankers.core import core
from headrank.rerankers.headrank import headrank
from headrank.rerankers.icr import icr
from headrank.rerankers.method import Method
from headrank.rerankers.qrhead import qrhead
from headrank.rerankers.qrranker import qrranker
from headrank.rerankers.together import rerank_together
from headrank.rerankers.trained import trained

__all__ = [
    "Candidates",
    "Method",
    "as_run",
    "comprank",
    "core",
    "gather_candidates",
    "headrank",
    "icr",
    "qrhead",
    "qrranker",
    "queries_of_shard",
    "read_candidates_of",
    "rerank_together",
    "shard_of_candidates",
    "trained",
]
