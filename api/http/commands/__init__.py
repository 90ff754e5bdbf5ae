"""The routes that write."""
