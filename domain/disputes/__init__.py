"""Disputes (chargebacks) of sales and of token purchases."""
