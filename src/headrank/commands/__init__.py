"""The commands of ``headrank``, one file each: their grammar and what they do."""
