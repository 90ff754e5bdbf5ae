"""Kafka at both edges: news go out of the log, commands and facts come in."""
