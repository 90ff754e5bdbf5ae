"""The edges that are processes of their own."""
