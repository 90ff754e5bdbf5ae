"""The read side: what people query, derived from the log and always rebuildable.

A projection never decides anything and never writes to the log.
"""
