"""Calls, charged by the block."""
