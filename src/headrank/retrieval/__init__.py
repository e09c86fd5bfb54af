"""The first stage: candidates from BM25 or a dense encoder, and rankings fused by reciprocal ranks."""
