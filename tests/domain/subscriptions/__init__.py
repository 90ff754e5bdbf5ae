"""Tests of `domain/subscriptions`."""
