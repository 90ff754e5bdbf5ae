"""The edge for people and services: the HTTP API and the command line.

It translates and decides nothing: commands go to `ledger`, questions to `projections`.
It does not see `consumers`.
"""
