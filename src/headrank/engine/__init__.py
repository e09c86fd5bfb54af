"""The engine: one forward pass of a decoder, of which the attention of chosen heads is read while it runs."""
