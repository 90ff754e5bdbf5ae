"""Subscriptions, charged by the period."""
