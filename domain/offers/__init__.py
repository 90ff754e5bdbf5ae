"""Offers: what a platform takes off its prices for a while, for whom, and how often."""
