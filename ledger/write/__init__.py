"""The write path, from admission to commit."""
