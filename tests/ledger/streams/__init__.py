"""Who may speak through message brokers, and how far topics are taken."""
