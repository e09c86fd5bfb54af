"""Probabilities of relevance, which can be compared across queries: fitted on judged queries, given with rankings."""
