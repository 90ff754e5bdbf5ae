"""Sales: a fan pays a creator, in tokens or by card."""
