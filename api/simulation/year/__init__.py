"""A simulated year of a platform, in a book whose log is written at told times."""
