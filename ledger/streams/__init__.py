"""What stands between the log and message brokers, and must commit with the log."""
