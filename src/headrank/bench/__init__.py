"""Measured cost: every way to score a list, compared on one machine in one run."""
