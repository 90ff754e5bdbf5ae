"""An independent auditor: every money rule once more, over plain dictionaries and fractions."""
