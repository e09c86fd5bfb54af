"""Preference training of the chosen heads: pairs, losses, the loop, its checkpoints and the adapter."""
