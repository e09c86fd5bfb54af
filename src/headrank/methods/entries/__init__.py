"""The entries of the table: one file per family of methods, found automatically."""
