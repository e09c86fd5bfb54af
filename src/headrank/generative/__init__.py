"""Generative and supervised rerankers that attention methods are compared with (docs/methods.md)."""
