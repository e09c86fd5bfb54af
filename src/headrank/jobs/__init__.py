"""One job of the pipeline: where its messages go, its part of the queries, and what is kept when it is killed."""
