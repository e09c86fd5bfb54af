"""The mini world: synthetic graded collections, and backbones in which some heads match content by construction."""
