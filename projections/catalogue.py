"""Every read model there is. A new one is a class in its own module, and a line here."""

from projections.engine.projection import Projection
from projections.engine.register import Register
from projections.models.account_classes import AccountClasses
from projections.models.adjustments import Adjustments
from projections.models.authorizations import Authorizations
from projections.models.breaks import Breaks
from projections.models.call_statistics import CallStatistics
from projections.models.calls import Calls
from projections.models.daily import Daily
from projections.models.disputes import Disputes
from projections.models.earnings import Earnings
from projections.models.entitlements import Entitlements
from projections.models.freezes import Freezes
from projections.models.holds import Holds
from projections.models.invoices import Invoices
from projections.models.journal import Journal
from projections.models.leaders import Leaders
from projections.models.liability import Liability
from projections.models.notices import Notices
from projections.models.offers import Offers
from projections.models.payments import Payments
from projections.models.payouts import Payouts
from projections.models.periods import ClosedPeriods
from projections.models.policies import PolicyVersions
from projections.models.purchases import Purchases
from projections.models.reconciliation import Reconciliation
from projections.models.refunds import Refunds
from projections.models.revenue import Revenue
from projections.models.risk import Risk
from projections.models.sales import Sales
from projections.models.settlements import Settlements
from projections.models.subscriptions import Subscriptions
from projections.models.tiers import Tiers
from projections.models.wallets import Wallets

PROJECTIONS: tuple[type[Projection], ...] = (
    Wallets,
    Earnings,
    Entitlements,
    Journal,
    AccountClasses,
    Daily,
    Offers,
    Notices,
    Payouts,
    Disputes,
    Sales,
    Purchases,
    Payments,
    Holds,
    Authorizations,
    Calls,
    Subscriptions,
    Adjustments,
    Refunds,
    Invoices,
    Freezes,
    PolicyVersions,
    ClosedPeriods,
    Settlements,
    Breaks,
    Reconciliation,
    Risk,
    Revenue,
    Liability,
    Leaders,
    CallStatistics,
    Tiers,
)

#: Those that are registers, which are listed by one set of routes.
REGISTERS: tuple[type[Register], ...] = tuple(
    kind for kind in PROJECTIONS if issubclass(kind, Register)
)


def all_projections(suffix: str = "") -> list[Projection]:
    """A new instance of each, bound to tables with `suffix`."""
    return [kind(suffix) for kind in PROJECTIONS]


def named(name: str, suffix: str = "") -> Projection:
    """A new instance of the projection called `name`; raises LookupError."""
    for kind in PROJECTIONS:
        if kind.name == name:
            return kind(suffix)
    raise LookupError(f"there is no projection named {name!r}")
