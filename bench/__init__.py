"""Benchmarks: every figure a ratio taken in one run, because machines differ and are noisy."""
