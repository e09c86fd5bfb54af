"""Why a passage has its score: what each of its words adds under each chosen head, as numbers and as a page."""
