"""From passages and a query to token ids with exact spans."""
