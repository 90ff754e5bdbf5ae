"""What finance and administrators do: adjustments, policies, periods, freezes, erasure."""
