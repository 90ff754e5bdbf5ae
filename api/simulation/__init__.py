"""A simulated day, and the demo."""
