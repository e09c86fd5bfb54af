"""What a process of this library does for itself: memory, large imports, and its progress bar."""
