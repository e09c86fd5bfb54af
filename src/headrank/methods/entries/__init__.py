"""What the table holds: one file a family of methods, found by itself."""
