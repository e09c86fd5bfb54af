"""One job of the pipeline: where its messages go, its part of the queries, and what it has done when it is killed."""
