"""The questions that the read models answer, in one place for the edges.

Each takes a connection with the book's schema on its search path and answers plain dictionaries
with `as_of_position`, in the shapes of the API's contract; dates and times are still objects.
"""

from projections.models.class_balances import trial_balance_by_class
from projections.models.daily_figures import daily
from projections.models.earnings import earnings, top_creators
from projections.models.entitlements import entitlement, library
from projections.models.offers import offer, offers
from projections.models.trial_balance import balance, lines, trial_balance
from projections.models.wallets import wallet, wallet_totals
from projections.status import Status, status, wait_for

__all__ = [
    "Status",
    "balance",
    "daily",
    "earnings",
    "entitlement",
    "library",
    "lines",
    "offer",
    "offers",
    "status",
    "top_creators",
    "trial_balance",
    "trial_balance_by_class",
    "wait_for",
    "wallet",
    "wallet_totals",
]
