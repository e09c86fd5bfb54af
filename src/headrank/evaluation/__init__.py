"""Effectiveness, its significance, the middle zone, and what a study says about the paper's claims."""
