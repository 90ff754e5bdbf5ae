"""Tiers: what a user has spent lately, as a step of the policy's ladder."""
