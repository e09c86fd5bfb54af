"""What a pass costs: its multiply-adds by arithmetic, and the time and memory that a machine needs for them."""
