"""The table of methods: one file of ``entries`` a family, and what is derived from all of them."""
