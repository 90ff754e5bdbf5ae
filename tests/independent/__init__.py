"""What the service answers, computed again in SQL over the exported log, sharing no code."""
