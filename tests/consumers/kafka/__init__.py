"""Kafka in and out, on a real broker."""
