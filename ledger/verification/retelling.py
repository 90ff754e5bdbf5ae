"""Commands told back from the events that came of them, as far as those say everything.

The log keeps what a command decided, and a fingerprint of what it said. Most events name every
field on which the decision depended; then the command can be decided once more. Where a field only
ever forbids (an offer's end, say), the command is told without it: it was not forbidden.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from domain.authorizations.authorization import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentVoided,
    VoidReason,
)
from domain.authorizations.session import AuthorizationExtended, SessionStarted
from domain.calls.call import (
    CallBlockCharged,
    CallBlockWrittenOff,
    CallEnded,
    CallPaused,
    CallResumed,
    CallStarted,
)
from domain.command import COMMANDS, Command
from domain.controls.adjustments import (
    AdjustmentApproved,
    AdjustmentProposed,
    AdjustmentRejected,
)
from domain.controls.erasure import SubjectErased
from domain.controls.freezes import FINANCE, AccountFrozen, AccountUnfrozen
from domain.controls.periods import PeriodClosed
from domain.controls.policy_changes import PolicyProposed, PolicyPublished
from domain.controls.second_persons import CommandApproved, CommandProposed, CommandRejected
from domain.creators.maturity import EarningsMatured, EscrowReleased
from domain.creators.onboarding import CreatorVerified, PayoutAccountChanged
from domain.entity import States
from domain.event import Event
from domain.fields import Funding
from domain.holds.hold import CreditsHeld, HoldReleased, HoldSettled
from domain.offers.offer import OfferPublished, OfferWithdrawn
from domain.payments.payment import PaymentReleased, PaymentSuspended
from domain.payouts.payout import (
    PayoutApproved,
    PayoutFailed,
    PayoutPaid,
    PayoutRejected,
    PayoutRequested,
    PayoutReturned,
    PayoutSubmitted,
)
from domain.policy import PolicyVersion
from domain.purchases.purchase import TokensPurchased
from domain.refunds.purchases import TokenPurchaseRefunded
from domain.refunds.refund import RefundRecorded, RefundRequested
from domain.sales.sale import Sale
from domain.sales.tips import TipSent
from domain.settlements.breaks import BreakAssigned
from domain.subscriptions.subscription import (
    PeriodCharged,
    SubscriptionCancelled,
    SubscriptionChanged,
    SubscriptionLapsed,
    SubscriptionStarted,
)
from domain.tiers.tier import TierChanged
from domain.wallets.expiry import PromoTokensExpired, TokensLapsed
from domain.wallets.promo_grants import PromoTokensGranted
from ledger.log.entry import Entry
from ledger.verification.reports import REPORTS, reported, unnamed

Fields = dict[str, Any]

#: Of a command's first events, those that name its fields, and by which attribute each.
Told = Mapping[type[Event], Mapping[str, str]]

_PAYOUT: Mapping[str, str] = {"payout": "payout_id"}
_PAYOUT_REASON: Mapping[str, str] = {"payout": "payout_id", "reason_code": "reason"}
_CALL: Mapping[str, str] = {"call": "call_id"}
_SUBSCRIPTION: Mapping[str, str] = {"subscription": "subscription_id"}
_FREEZE: Mapping[str, str] = {
    "subject": "subject", "kind": "kind", "scope": "scope", "reason_code": "reason"
}  # fmt: skip

TOLD: Mapping[str, Told] = {
    "approve-adjustment": {AdjustmentApproved: {"adjustment": "adjustment_id"}},
    "approve-payout": {PayoutApproved: _PAYOUT},
    "approve-policy": {PolicyPublished: {"version": "version"}},
    "approve-proposal": {CommandApproved: {"proposal": "proposal"}},
    "assign-break": {BreakAssigned: {"break": "break_id", "owner": "owner"}},
    "cancel-subscription": {SubscriptionCancelled: _SUBSCRIPTION},
    "capture": {
        PaymentCaptured: {
            "payment": "payment_id", "amount": "charged", "final": "final", "reason_code": "reason"
        }
    },
    "change-subscription": {
        SubscriptionChanged: {
            **_SUBSCRIPTION, "plan": "plan", "price": "price", "from_period": "from_period"
        }
    },
    "change-tier": {
        TierChanged: {
            "user": "user", "at": "at", "spend": "spend", "window_days": "window_days",
            "as_of_position": "as_of_position",
        }
    },
    "close-period": {PeriodClosed: {"period": "period"}},
    "confirm-payout": {PayoutPaid: _PAYOUT},
    "end-call": {CallEnded: _CALL},
    "erase-subject": {SubjectErased: {"subject": "subject", "kind": "kind"}},
    "expire-promo": {
        CallBlockCharged: {"user": "buyer"}, CallEnded: {"user": "fan"},
        PromoTokensExpired: {"user": "user"},
    },
    "extend-authorization": {
        AuthorizationExtended: {"payment": "payment_id", "expires_at": "expires_at"}
    },
    "fail-payout": {PayoutFailed: _PAYOUT_REASON},
    "freeze": {AccountFrozen: _FREEZE},
    "grant-promo": {
        PromoTokensGranted: {
            "user": "user", "tokens": "tokens", "reason_code": "reason", "expires_at": "expires_at"
        }
    },
    "hold-credits": {
        CreditsHeld: {"user": "user", "tokens": "tokens", "expires_at": "expires_at"}
    },
    "lapse-subscription": {SubscriptionLapsed: _SUBSCRIPTION},
    "lapse-tokens": {
        CallBlockCharged: {"user": "buyer"}, CallEnded: {"user": "fan"},
        TokensLapsed: {"user": "user"},
    },
    "mature-earnings": {EarningsMatured: {"creator": "creator"}},
    "meter-call": {
        CallBlockCharged: _CALL, CallEnded: _CALL, CallBlockWrittenOff: _CALL,
    },
    "pause-call": {CallPaused: _CALL},
    "propose-policy": {PolicyProposed: {"body": "body", "effective_from": "effective_from"}},
    "record-purchase": {
        TokensPurchased: {
            "user": "user", "package": "package_id", "price": "price", "processor": "processor",
            "processor_ref": "processor_ref", "country": "country",
        }
    },
    "refund-purchase": {
        TokenPurchaseRefunded: {"purchase": "purchase_id", "reason_code": "reason"}
    },
    "reject-adjustment": {
        AdjustmentRejected: {"adjustment": "adjustment_id", "reason_code": "code"}
    },
    "reject-payout": {PayoutRejected: _PAYOUT_REASON},
    "reject-proposal": {CommandRejected: {"proposal": "proposal", "reason_code": "code"}},
    "release-escrow": {
        EarningsMatured: {"creator": "creator"}, EscrowReleased: {"creator": "creator"},
    },
    "release-hold": {HoldReleased: {"hold": "hold_id"}},
    "release-payment": {PaymentReleased: {"payment_ref": "ref", "resolution": "resolution"}},
    "resume-call": {CallResumed: _CALL},
    "return-payout": {PayoutReturned: _PAYOUT_REASON},
    "set-payout-account": {
        PayoutAccountChanged: {
            "creator": "creator", "payouts_enabled": "payouts_enabled", "country": "country"
        }
    },
    "settle-batch": {
        HoldSettled: {"hold": "hold_id", "batch_no": "batch_no", "used": "tokens"}
    },
    "start-session": {SessionStarted: {"payment": "payment_id"}},
    "start-subscription": {
        SubscriptionStarted: {
            **_SUBSCRIPTION, "user": "user", "creator": "creator", "price": "price", "plan": "plan"
        }
    },
    "submit-payout": {
        PayoutSubmitted: {
            **_PAYOUT, "processor": "processor", "processor_ref": "processor_ref"
        }
    },
    "unfreeze": {AccountUnfrozen: _FREEZE},
    "verify-creator": {CreatorVerified: {"creator": "creator", "verified": "verified"}},
    "withdraw-offer": {OfferWithdrawn: {"offer": "offer_id"}},
    "void": {PaymentVoided: {"payment": "payment_id", "reason_code": "reason"}},
}  # fmt: skip


def _sold(event: Event, policy: PolicyVersion | None) -> Fields | None:
    """A sale's fields: prices in tokens are told in minor units, at the policy's unit value."""
    if not isinstance(event, Sale):
        return None
    unit = 1
    if event.funding == Funding.TOKEN:
        unit = (policy.policy.unit_value if policy is not None else None) or 1
    fields: Fields = {
        "user": event.buyer,
        "creator": event.creator,
        "funding": event.funding,
        "attribution": event.attribution,
        "processor": event.processor,
        "processor_ref": event.processor_ref,
        "country": event.country,
        **_discounted(event),
    }
    if isinstance(event, TipSent):
        return {**fields, "amount": event.gross // unit}
    return {
        **fields,
        "item": event.item_id,
        "item_class": event.item_class,
        "price": event.gross // unit,
        "discount": event.discount // unit if event.offer_id is None else None,
        "access_until": event.expires_at,
    }


def _discounted(event: Sale | PaymentAuthorized) -> Fields:
    """The offer that discounts follow from, or else what the platform pays."""
    if event.offer_id is not None:
        return {"offer": event.offer_id}
    return {"platform_discount": event.platform_discount}


def _charged(event: Event) -> Fields | None:
    if not isinstance(event, PeriodCharged):
        return None
    return {
        "subscription": event.subscription_id,
        "period_start": event.period_start,
        "period_end": event.period_end,
        "price": event.gross,
        "processor": event.processor,
        "processor_ref": event.processor_ref,
        "country": event.country,
        **_discounted(event),
    }


def _offered(event: Event) -> Fields | None:
    if not isinstance(event, OfferPublished):
        return None
    eligible = {"first_purchase": event.first_purchase, "users": event.users or None}
    eligible["tiers"] = event.tiers or None
    return {
        "offer": event.offer_id,
        "products": event.products,
        "discount": event.discount or None,
        "discount_bps": event.discount_bps or None,
        "platform_discount": event.platform_discount or None,
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
        "max_uses": event.max_uses,
        "max_uses_per_user": event.max_uses_per_user,
        "eligible": eligible,
    }


def _authorized(event: Event) -> Fields | None:
    if not isinstance(event, PaymentAuthorized):
        return None
    stated = event.expiry_reason == VoidReason.ABANDONED
    return {
        "session": event.session_id,
        "user": event.user,
        "payee": event.creator,
        "tier": event.tier,
        "amount": event.amount + event.discount + event.platform_discount,
        "processor": event.processor,
        "processor_ref": event.processor_ref,
        **_discounted(event),
        "expires_at": event.expires_at if stated else None,
        "country": event.country,
        "payees": [msgspec.structs.asdict(payee) for payee in event.payees] or None,
    }


def _started(event: Event) -> Fields | None:
    if not isinstance(event, CallStarted):
        return None
    call = {"call": event.call_id, "user": event.fan, "creator": event.creator}
    return {**call, "rate": event.rate}


def _requested(event: Event) -> Fields | None:
    if not isinstance(event, PayoutRequested):
        return None
    if event.scheduled_for is not None:
        return {"creator": event.creator, "scheduled": True}
    return {"creator": event.creator, "amount": event.gross, "instant": event.instant}


def _refunded(event: Event) -> Fields | None:
    if not isinstance(event, RefundRequested | RefundRecorded):
        return None
    return {"sale": event.sale_id, "amount": event.amount, "reason_code": event.reason}


def _adjusted(event: Event) -> Fields | None:
    """Without its evidence, which decides nothing but its hash."""
    if not isinstance(event, AdjustmentProposed):
        return None
    day = event.effective_on
    return {
        "postings": [list(leg) for leg in event.legs],
        "reason_code": event.reason,
        "effective_on": None if day is None else day.isoformat(),
    }


#: Commands that are told by more than names.
TELLERS: Mapping[str, Callable[[Event], Fields | None]] = {
    "authorize": _authorized,
    "charge-period": _charged,
    "propose-adjustment": _adjusted,
    "publish-offer": _offered,
    "refund": _refunded,
    "request-payout": _requested,
    "start-call": _started,
}

#: Commands of sales: what they were decided on is told by the sale.
SALES = frozenset({"buy-ticket", "send-tip", "unlock", "unlock-message"})


def fields_of(entry: Entry, event: Event, policy: PolicyVersion | None) -> Fields | None:
    """The fields of the command that `event` came of; None where the event does not tell them."""
    if isinstance(event, PaymentSuspended):
        return dict(event.notice) if event.command == entry.command else None
    if isinstance(event, CommandProposed):
        return dict(event.fields) if event.command == entry.command else None
    if entry.command in SALES:
        return _sold(event, policy)
    teller = TELLERS.get(entry.command)
    if teller is not None:
        return teller(event)
    names = TOLD.get(entry.command, {}).get(type(event))
    if names is None:
        return None
    return {field: getattr(event, attribute) for field, attribute in names.items()}


def role_of(first: Event) -> str:
    """In which role the command was sent whose first event this is, where that decided anything."""
    return FINANCE if isinstance(first, AccountFrozen) and first.of_finance else ""


class Retold(NamedTuple):
    """A command as it may have been; `by_name` says whether its events tell a notice's name."""

    command: Command
    by_name: bool


def retold(
    group: Sequence[tuple[Entry, Event]], policy: PolicyVersion | None, states: States
) -> Iterator[Retold]:
    """What the command of `group` may have been: the first that is told, then others.

    Raises pydantic.ValidationError where what is told makes no command.
    """
    first = group[0][0]
    kind = COMMANDS[first.command]
    needs = unnamed(kind)
    for fields in _told(group, policy, states):
        told = {name: value for name, value in fields.items() if value is not None and value != ""}
        if first.on_behalf_of is not None:
            told["on_behalf_of"] = first.on_behalf_of
        if first.occurred_at != first.recorded_at and "occurred_at" not in told:
            told["occurred_at"] = first.occurred_at
        by_name = needs.keys() <= told.keys()
        yield Retold(kind.model_validate(told if by_name else {**needs, **told}), by_name)
        last = group[-1][1]
        if first.command == "meter-call" and isinstance(last, CallBlockCharged):
            yield Retold(kind.model_validate({**told, "as_of": last.active_to}), by_name=True)


def _told(
    group: Sequence[tuple[Entry, Event]], policy: PolicyVersion | None, states: States
) -> Iterator[Fields]:
    command = group[0][0].command
    if command in REPORTS and not any(isinstance(event, CommandProposed) for _, event in group):
        yield from reported(command, [event for _, event in group], states)
        return
    for entry, event in group:
        fields = fields_of(entry, event, policy)
        if fields is not None:
            yield fields
            return
