"""The edge as strangers meet it: over real HTTP and the real command line."""
