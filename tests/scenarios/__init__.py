"""The acceptance scenarios of the domain reference, one file per platform, on the real thing."""
