"""An independent model of the money rules, and the invariants that it checks."""
