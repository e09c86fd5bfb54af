"""GGUF files as checkpoints: found, checked, and dequantised once into a folder that is loaded like any other."""
