"""Whether this installation ranks rightly: software, places, device, and numbers whose right values are known."""
