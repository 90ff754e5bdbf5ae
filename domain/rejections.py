"""Why a command may be rejected or denied: every reason once, in the order of the tests.

When several reasons apply, the first of this list is the answer. A rejection is a value, not an
exception: it is stored in the request's receipt and returned again byte for byte.
"""

from datetime import datetime
from typing import Any, final

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """A kind of rejection or denial: its stable code, HTTP status and what a person reads.

    `detail` is a format string over the fields of `details`.
    """

    code: str
    status: int
    title: str
    detail: str
    retryable: bool = False


@final  # so that `type(outcome) is Rejection` tells it, at a fifth of the price of isinstance
class Rejection(msgspec.Struct, frozen=True):
    """One rejection: a reason with its fields filled in."""

    reason: Reason
    details: dict[str, Any]

    @property
    def detail(self) -> str:
        """The sentence for people."""
        return self.reason.detail.format(**{name: _told(x) for name, x in self.details.items()})


def _told(value: Any) -> Any:
    """A detail as a sentence says it: times as RFC 3339 with `Z`, as everywhere else."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


REASONS: dict[str, Reason] = {}


def _reason(code: str, status: int, title: str, detail: str, *, retryable: bool = False) -> Reason:
    reason = REASONS[code] = Reason(code, status, title, detail, retryable)
    return reason


# Malformed and unauthenticated: never stored.
INVALID_REQUEST = _reason(
    "INVALID_REQUEST", 400, "Invalid request", "{count} field(s) of the request are wrong"
)
BODY_TOO_LARGE = _reason(
    "BODY_TOO_LARGE", 413, "Too large", "{what} has {bytes} bytes; the limit is {limit}"
)
UNAUTHENTICATED = _reason(
    "UNAUTHENTICATED", 401, "Unauthenticated", "send a valid API key of this book as Bearer token"
)
ROLE_FORBIDDEN = _reason(
    "ROLE_FORBIDDEN", 403, "Role forbidden", "the role {role} may not {action}"
)
RATE_LIMITED = _reason(
    "RATE_LIMITED", 429, "Rate limited", "try again in {retry_after} s", retryable=True
)
UNAVAILABLE = _reason("UNAVAILABLE", 503, "Unavailable", "{what}", retryable=True)
INTERNAL = _reason(
    "INTERNAL", 500, "Internal error", "the command was not executed; nothing was written"
)

# The receipt.
IDEMPOTENCY_KEY_REUSED = _reason(
    "IDEMPOTENCY_KEY_REUSED",
    422,
    "Idempotency key reused",
    "this key was already used for a request with another content; use a new key",
)
REFERENCE_TAKEN = _reason(
    "REFERENCE_TAKEN",
    422,
    "Reference taken",
    "the same was reported under {processor_ref} with other fields; nothing is done",
)
ANSWER_ARCHIVED = _reason(
    "ANSWER_ARCHIVED",
    410,
    "Answer archived",
    "this was carried out at position {position}, whose part of the log is archived; its events "
    "are there",
)
REQUEST_IN_FLIGHT = _reason(
    "REQUEST_IN_FLIGHT", 409, "Request in flight", "the same request is being decided"
)
BATCH_ABORTED = _reason(
    "BATCH_ABORTED", 409, "Batch aborted", "line {line} of this atomic batch failed"
)

# The time it claims, before anything that depends on time.
CLOCK_SKEW = _reason(
    "CLOCK_SKEW", 422, "Clock skew", "{field} {given} is later than the server's {now}"
)

# Unknown references.
UNKNOWN_BOOK = _reason("UNKNOWN_BOOK", 404, "Unknown book", "there is no book {book}")
UNKNOWN_POLICY = _reason(
    "UNKNOWN_POLICY", 404, "Unknown policy", "there is no policy version {version}"
)
UNKNOWN_PAYMENT = _reason(
    "UNKNOWN_PAYMENT", 404, "Unknown payment", "there is no payment {payment_ref}"
)
UNKNOWN_PAYOUT = _reason("UNKNOWN_PAYOUT", 404, "Unknown payout", "there is no payout {payout}")
UNKNOWN_PROPOSAL = _reason(
    "UNKNOWN_PROPOSAL", 404, "Unknown proposal", "there is no proposal {proposal}"
)
UNKNOWN_ADJUSTMENT = _reason(
    "UNKNOWN_ADJUSTMENT", 404, "Unknown adjustment", "there is no adjustment {adjustment}"
)
UNKNOWN_BREAK = _reason("UNKNOWN_BREAK", 404, "Unknown break", "there is no break {break}")
UNKNOWN_CALL = _reason("UNKNOWN_CALL", 404, "Unknown call", "there is no call {call}")
UNKNOWN_HOLD = _reason("UNKNOWN_HOLD", 404, "Unknown hold", "there is no hold {hold}")
UNKNOWN_AUTHORIZATION = _reason(
    "UNKNOWN_AUTHORIZATION", 404, "Unknown authorisation", "there is no authorisation {payment}"
)
UNKNOWN_SUBSCRIPTION = _reason(
    "UNKNOWN_SUBSCRIPTION", 404, "Unknown subscription", "there is no subscription {subscription}"
)
UNKNOWN_OFFER = _reason("UNKNOWN_OFFER", 404, "Unknown offer", "there is no offer {offer}")
UNKNOWN_SALE = _reason("UNKNOWN_SALE", 404, "Unknown sale", "there is no sale {sale}")
UNKNOWN_PURCHASE = _reason(
    "UNKNOWN_PURCHASE", 404, "Unknown purchase", "there is no purchase {purchase}"
)
UNKNOWN_TIER = _reason("UNKNOWN_TIER", 404, "Unknown tier", "the policy has no tier {tier}")
NO_POLICY = _reason(
    "NO_POLICY", 422, "No policy in force", "no policy of this book is effective at {at}"
)

# Gone for good, or frozen.
SUBJECT_ERASED = _reason(
    "SUBJECT_ERASED", 409, "Subject erased", "{subject} was erased; who returns gets a new id"
)
ACCOUNT_FROZEN = _reason("ACCOUNT_FROZEN", 409, "Account frozen", "{user} is frozen for {scope}")
CREATOR_FROZEN = _reason("CREATOR_FROZEN", 409, "Creator frozen", "{creator} is frozen for {scope}")

# Product, parties, bounds.
PRODUCT_DISABLED = _reason(
    "PRODUCT_DISABLED", 422, "Product disabled", "the policy does not offer {product}"
)
CURRENCY_MISMATCH = _reason(
    "CURRENCY_MISMATCH", 422, "Currency mismatch", "the book is kept in {expected}, not {given}"
)
SELF_APPROVAL_FORBIDDEN = _reason(
    "SELF_APPROVAL_FORBIDDEN",
    403,
    "Self-approval forbidden",
    "{actor} proposed this and may not approve it",
)
SELF_DEALING = _reason("SELF_DEALING", 422, "Self-dealing", "{user} may not pay themselves")
INVALID_AMOUNT = _reason(
    "INVALID_AMOUNT", 422, "Invalid amount", "{field} would be {amount}; the limit is {limit}"
)
PRICE_OUT_OF_RANGE = _reason(
    "PRICE_OUT_OF_RANGE",
    422,
    "Price out of range",
    "{product} at {price} is outside {min} to {max}",
)
#: The same of a command whose price is called otherwise, as clients know it.
_OUT_OF_RANGE = {
    field: msgspec.structs.replace(
        PRICE_OUT_OF_RANGE, detail=PRICE_OUT_OF_RANGE.detail.replace("price", field)
    )
    for field in ("amount", "rate")
}
UNKNOWN_TAX_COUNTRY = _reason(
    "UNKNOWN_TAX_COUNTRY",
    422,
    "Unknown tax country",
    "the policy has no VAT rate for country {country}",
)
NEGATIVE_MARGIN = _reason(
    "NEGATIVE_MARGIN",
    422,
    "Negative margin",
    "package {package} nets {net}, but its tokens can cost {cost} in creator shares",
)
UNBALANCED = _reason("UNBALANCED", 422, "Unbalanced", "{account} is off by {difference} {asset}")
NEGATIVE_BALANCE = _reason(
    "NEGATIVE_BALANCE", 422, "Negative balance", "{creator} owes the platform {owed}"
)
BELOW_MINIMUM = _reason(
    "BELOW_MINIMUM",
    422,
    "Below minimum",
    "{requested} is below the minimum of {minimum}; {shortfall} are missing",
)

# Offer, state.
OFFER_EXPIRED = _reason("OFFER_EXPIRED", 422, "Offer expired", "the offer ended at {expired_at}")
OFFER_NOT_ELIGIBLE = _reason(
    "OFFER_NOT_ELIGIBLE", 422, "Offer not eligible", "offer {offer} is not for this: {reason}"
)
OFFER_EXHAUSTED = _reason(
    "OFFER_EXHAUSTED",
    409,
    "Offer exhausted",
    "offer {offer} was used {uses} times; it may be used {limit} times",
)
REFUND_REASON_UNKNOWN = _reason(
    "REFUND_REASON_UNKNOWN",
    422,
    "Refund reason unknown",
    "{reason_code} is none of the reasons for refunds; they are {allowed}",
)
REFUND_WINDOW_CLOSED = _reason(
    "REFUND_WINDOW_CLOSED", 422, "Refund window closed", "refunds ended at {refund_until}"
)
ALREADY_ENTITLED = _reason(
    "ALREADY_ENTITLED", 409, "Already entitled", "{user} has {item} by sale {sale_id}"
)
DISPUTE_OPEN = _reason("DISPUTE_OPEN", 409, "Dispute open", "{subject} is being disputed")
CREATOR_NOT_VERIFIED = _reason(
    "CREATOR_NOT_VERIFIED", 422, "Creator not verified", "{creator} is not verified"
)
CALL_ALREADY_ACTIVE = _reason(
    "CALL_ALREADY_ACTIVE", 409, "Call already active", "{user} is in call {call} already"
)
CALL_NOT_ACTIVE = _reason("CALL_NOT_ACTIVE", 409, "Call not active", "call {call} is {state}")
HOLD_NOT_OPEN = _reason("HOLD_NOT_OPEN", 409, "Hold not open", "{hold} is {state}")
INVALID_TRANSITION = _reason(
    "INVALID_TRANSITION", 409, "Invalid transition", "{subject} is {state}"
)
PERIOD_CLOSED = _reason(
    "PERIOD_CLOSED", 409, "Period closed", "{date} is closed; the first open day is {first_open}"
)
PAYOUT_ACCOUNT_NOT_READY = _reason(
    "PAYOUT_ACCOUNT_NOT_READY",
    422,
    "Payout account not ready",
    "{creator} cannot be paid out yet: the payout account lacks {lacking}",
)
PAYOUT_IN_PROGRESS = _reason(
    "PAYOUT_IN_PROGRESS", 409, "Payout in progress", "payout {payout} of {creator} is on its way"
)
LIMIT_REACHED = _reason(
    "LIMIT_REACHED", 422, "Limit reached", "{subject} would have more than {limit} {what}"
)
ACCOUNT_HAS_BALANCE = _reason(
    "ACCOUNT_HAS_BALANCE", 422, "Account has balance", "{subject} still has {what}"
)

# Funds.
INSUFFICIENT_TOKENS = _reason(
    "INSUFFICIENT_TOKENS",
    402,
    "Insufficient tokens",
    "the wallet holds {current} tokens; {required} are needed",
)
REFUND_EXCEEDS_REMAINING = _reason(
    "REFUND_EXCEEDS_REMAINING",
    422,
    "Refund exceeds remaining",
    "{remaining} of {subject} remain to be refunded",
)
CAPTURE_EXCEEDS_HOLD = _reason(
    "CAPTURE_EXCEEDS_HOLD", 422, "Capture exceeds hold", "{requested} is more than the {held} held"
)
INSUFFICIENT_AVAILABLE = _reason(
    "INSUFFICIENT_AVAILABLE",
    422,
    "Insufficient available balance",
    "{available} are available; {requested} were requested",
)

# Codes of suspended, parked and ignored notices; no rejections, so without a status.
AWAITING_REFERENT = "AWAITING_REFERENT"
DUPLICATE_PAYMENT = "DUPLICATE_PAYMENT"
DUPLICATE_PERIOD = "DUPLICATE_PERIOD"
PRICE_MISMATCH = "PRICE_MISMATCH"
REFUND_FAILED = "REFUND_FAILED"
STALE_FIGURE = "STALE_FIGURE"
UNKNOWN_PACKAGE = "UNKNOWN_PACKAGE"


def reject(reason: Reason, /, **details: Any) -> Rejection:
    """The rejection for `reason` with its fields."""
    return Rejection(reason, details)


def out_of_range(field: str, price: int, *, product: str, low: int, high: int) -> Rejection:
    """The rejection of a price outside its bounds, under the name that its command gives it."""
    reason = _OUT_OF_RANGE.get(field, PRICE_OUT_OF_RANGE)
    return Rejection(reason, {"product": product, field: price, "min": low, "max": high})
