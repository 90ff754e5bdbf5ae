"""Random policies, commands and sequences of them, for Hypothesis."""
