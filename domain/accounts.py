"""The chart of accounts: how every account is named.

Fiat accounts hold the book's currency, token accounts hold `<book>.PAID` or `<book>.PROMO`.
Ids hold neither `.` nor `:`, so a name can be taken apart again.
"""

import msgspec

#: One leg: (account, asset, amount); a debit is positive.
Posting = tuple[str, str, int]

DEFERRED = "deferred"
SUPPLY = "supply"
SUSPENSE = "suspense"
COMMISSION_REVENUE = "rev.commission"
SUBSCRIPTION_REVENUE = "rev.subscription"
MARGIN_REVENUE = "rev.margin"
USAGE_REVENUE = "rev.usage"
PROMO_EXPENSE = "exp.promo"
BANK = "bank"
FEE_REVENUE = "rev.fee"
BREAKAGE_REVENUE = "rev.breakage"
PROCESSOR_EXPENSE = "exp.processor"
DISPUTED = "disputed"
DISPUTE_EXPENSE = "exp.dispute"
BAD_DEBT_EXPENSE = "exp.baddebt"


class Assets(msgspec.Struct, frozen=True):
    """What a book counts in: its currency and its two classes of token."""

    currency: str
    paid: str
    promo: str

    @classmethod
    def of(cls, book: str, currency: str) -> "Assets":
        """The assets of the book called `book`."""
        return cls(currency, f"{book}.PAID", f"{book}.PROMO")


class Unbalanced(ValueError):
    """The postings of an event do not sum to zero for an asset."""


def wallet_free(user: str) -> str:
    """Tokens that `user` may spend."""
    return f"w.{user}.free"


def wallet_held(user: str) -> str:
    """Tokens of `user` that are set aside."""
    return f"w.{user}.held"


def creator(creator: str, bucket: str) -> str:
    """What the platform owes `creator`; bucket: pending, available, reserved or payout."""
    return f"cr.{creator}.{bucket}"


def processor(processor: str) -> str:
    """Money that a payment processor holds for the platform."""
    return f"psp.{processor}"


def vat(country: str) -> str:
    """VAT owed to `country`."""
    return f"vat.{country}"


def fan_debt(user: str) -> str:
    """What `user` owes the platform: tokens that were spent and charged back."""
    return f"fan_debt.{user}"


def withheld(country: str) -> str:
    """Tax withheld from payouts, owed to `country`."""
    return f"withheld.{country}"


def balanced(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    """The same postings without empty legs; raises Unbalanced unless each asset sums to zero."""
    totals: dict[str, int] = {}
    legs = []
    for leg in postings:
        amount = leg[2]
        if amount:
            asset = leg[1]
            totals[asset] = totals.get(asset, 0) + amount
            legs.append(leg)
    for asset, total in totals.items():
        if total:
            raise Unbalanced(f"postings sum to {total} {asset} instead of 0: {postings}")
    return tuple(legs)
