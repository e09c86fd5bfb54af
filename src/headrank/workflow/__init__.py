"""What the Snakefiles ask: the configuration checked and completed, and all that is worked out of it."""
