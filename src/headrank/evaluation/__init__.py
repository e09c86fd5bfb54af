"""Effectiveness, its significance, the middle zone, and what a study says of the paper's claims."""
