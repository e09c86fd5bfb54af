"""Collections, runs, judgements, training lists and the files that they lie in."""
