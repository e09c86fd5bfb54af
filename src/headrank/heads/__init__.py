"""Which heads: the criteria that choose them, the files that name them, and rankings by any set of them."""
