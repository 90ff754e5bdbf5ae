"""Card authorisations, captured or voided."""
