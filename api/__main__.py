"""`python -m api`: the command line, also where the `tokenledger` script is not installed."""

from api.cli.main import app

app()
