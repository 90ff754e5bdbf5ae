"""Refunds of sales and of token purchases."""
