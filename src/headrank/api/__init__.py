"""What a search stack uses: one class for every method, texts in and a ranking out."""

from headrank.api.ranked import RankedDocument
from headrank.api.reranker import Reranker
from headrank.data.beir import Document

__all__ = ["Document", "RankedDocument", "Reranker"]
