"""The engine: one forward pass of a decoder, during which the attention of chosen heads is read."""
