"""One stored example of every event ever written, and answers as they were given.

These files are never edited: the log and its answers are for ever, so a change that breaks one of
them breaks every book. `python -m tests.golden` writes an example where one is missing.
"""
