"""HeadRank inside other libraries: a file for each of them, which imports it, and which nothing else here imports.

``pyterrier``, ``rerankers``, ``mteb``, ``langchain``, ``llama_index`` and ``haystack`` (docs/frameworks.md). Each gives
the scores, ids and order of ``Reranker.rank``.
"""
