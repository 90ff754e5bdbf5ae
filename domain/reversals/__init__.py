"""What refunds and disputes share: what is taken back, and from whom."""
