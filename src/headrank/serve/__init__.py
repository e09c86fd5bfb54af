"""Reranking over HTTP: one model, the request and response of the common rerank APIs, passes shared by requests."""
