"""Settlement files against the ledger, and breaks."""
