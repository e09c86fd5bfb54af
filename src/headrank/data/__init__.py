"""Collections, runs, judgements, training lists and their files."""
