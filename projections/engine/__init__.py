"""What every projection is made of."""
