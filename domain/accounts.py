"""The chart of accounts: how every account is named, and of which class it is.

Fiat accounts hold the book's currency, token accounts hold `<book>.PAID` or `<book>.PROMO`.
Ids hold neither `.` nor `:`, so a name can be taken apart again.
"""

from enum import StrEnum
from operator import itemgetter

import msgspec

#: One leg: (account, asset, amount); a debit is positive.
Posting = tuple[str, str, int]
amount_of = itemgetter(2)

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
GOODWILL_EXPENSE = "exp.goodwill"


class Assets(msgspec.Struct, frozen=True):
    """What a book counts in: its currency and its two classes of token."""

    currency: str
    paid: str
    promo: str

    @classmethod
    def of(cls, book: str, currency: str) -> "Assets":
        """The assets of the book called `book`."""
        return cls(currency, f"{book}.PAID", f"{book}.PROMO")


class AccountType(StrEnum):
    """Where a class stands in the statements. A contra account mirrors others of its asset."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"
    CONTRA = "contra"


class AccountClass(msgspec.Struct, frozen=True):
    """A class of accounts: `pattern` is their name with `*` for a person, processor or country."""

    pattern: str
    number: int
    name: str
    type: AccountType


#: Every class there is, by number. Finance reads classes: accounts are as many as people.
CHART: tuple[AccountClass, ...] = (
    AccountClass(BANK, 1000, "Bank", AccountType.ASSET),
    AccountClass("psp.*", 1100, "Payment processors", AccountType.ASSET),
    AccountClass(DISPUTED, 1200, "Disputed payments", AccountType.ASSET),
    AccountClass("fan_debt.*", 1300, "Owed by buyers", AccountType.ASSET),
    AccountClass(DEFERRED, 2000, "Deferred revenue from unspent tokens", AccountType.LIABILITY),
    AccountClass("cr.*.pending", 2100, "Creators, pending", AccountType.LIABILITY),
    AccountClass("cr.*.available", 2110, "Creators, available", AccountType.LIABILITY),
    AccountClass("cr.*.reserved", 2120, "Creators, reserved", AccountType.LIABILITY),
    AccountClass("cr.*.payout", 2130, "Creators, in payout", AccountType.LIABILITY),
    AccountClass("vat.*", 2200, "VAT payable", AccountType.LIABILITY),
    AccountClass("withheld.*", 2210, "Tax withheld from payouts", AccountType.LIABILITY),
    AccountClass(SUSPENSE, 2900, "Suspense", AccountType.LIABILITY),
    AccountClass(COMMISSION_REVENUE, 4000, "Commission", AccountType.INCOME),
    AccountClass(MARGIN_REVENUE, 4100, "Margin on tokens", AccountType.INCOME),
    AccountClass(USAGE_REVENUE, 4200, "Usage", AccountType.INCOME),
    AccountClass(SUBSCRIPTION_REVENUE, 4300, "Subscriptions to the platform", AccountType.INCOME),
    AccountClass(FEE_REVENUE, 4400, "Fees", AccountType.INCOME),
    AccountClass(BREAKAGE_REVENUE, 4500, "Breakage", AccountType.INCOME),
    AccountClass(PROMO_EXPENSE, 5000, "Promotional tokens and discounts", AccountType.EXPENSE),
    AccountClass(PROCESSOR_EXPENSE, 5100, "Processor fees", AccountType.EXPENSE),
    AccountClass(DISPUTE_EXPENSE, 5200, "Dispute fees", AccountType.EXPENSE),
    AccountClass(BAD_DEBT_EXPENSE, 5300, "Bad debt", AccountType.EXPENSE),
    AccountClass(GOODWILL_EXPENSE, 5400, "Goodwill", AccountType.EXPENSE),
    AccountClass("w.*.free", 9000, "Tokens in wallets, free", AccountType.LIABILITY),
    AccountClass("w.*.held", 9010, "Tokens in wallets, held", AccountType.LIABILITY),
    AccountClass(SUPPLY, 9100, "Tokens issued", AccountType.CONTRA),
)
CLASSES = {each.pattern: each for each in CHART}
_OF_ONE = {each.pattern[:-2]: each.pattern for each in CHART if each.pattern.endswith(".*")}
_OF_TWO = {
    (pattern.partition(".")[0], pattern.rpartition(".")[2]): pattern
    for pattern in CLASSES
    if ".*." in pattern
}


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


def class_of(account: str) -> str:
    """The pattern of an account's class; of one that the chart does not know, its own name."""
    family, _, rest = account.partition(".")
    pattern = _OF_ONE.get(family)
    if pattern is None:
        pattern = _OF_TWO.get((family, rest.rpartition(".")[2]), account)
    return pattern


def balanced(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    """The same postings without empty legs; raises Unbalanced unless each asset sums to zero."""
    legs = tuple(filter(amount_of, postings))
    totals: dict[str, int] = {}
    for _, asset, amount in legs:
        totals[asset] = totals.get(asset, 0) + amount
    if any(totals.values()):
        raise Unbalanced(f"postings sum to {totals} instead of 0: {postings}")
    return legs
