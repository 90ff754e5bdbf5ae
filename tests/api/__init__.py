"""The edges: HTTP, the command line, the import and the simulated day."""
