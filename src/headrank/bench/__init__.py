"""Measured cost: every way to score a list beside the others, on the machine at hand and in one run."""
