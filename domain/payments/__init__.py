"""Payments by their processor reference, and money in suspense."""
