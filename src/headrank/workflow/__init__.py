"""What the Snakefiles use: the configuration, checked and completed, and all that is derived from it."""
