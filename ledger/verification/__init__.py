"""Whether what a book holds is true: the log, and all that the ledger keeps beside it."""
