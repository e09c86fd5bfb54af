"""The table of methods: one file in ``entries`` per family, and what is derived from all of them."""
