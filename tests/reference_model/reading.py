"""How what the product answered is held against the auditor's verdict."""

from collections.abc import Sequence
from typing import Any

from tests.reference_model.verdicts import Verdict

#: The codes of the contract, each of which somebody can act on.
DOCUMENTED = {
    *("INVALID_REQUEST", "UNAUTHENTICATED", "ROLE_FORBIDDEN", "SELF_APPROVAL_FORBIDDEN"),
    *("INSUFFICIENT_TOKENS", "NOT_ENTITLED", "ALREADY_ENTITLED", "INVALID_TRANSITION"),
    *("CALL_ALREADY_ACTIVE", "CALL_NOT_ACTIVE", "HOLD_NOT_OPEN", "DUPLICATE_PERIOD"),
    *("DISPUTE_OPEN", "PAYOUT_IN_PROGRESS", "PERIOD_CLOSED", "ACCOUNT_FROZEN", "CREATOR_FROZEN"),
    *("REQUEST_IN_FLIGHT", "PRICE_OUT_OF_RANGE", "INVALID_AMOUNT", "CURRENCY_MISMATCH"),
    *("PRODUCT_DISABLED", "SELF_DEALING", "BELOW_MINIMUM", "NEGATIVE_BALANCE"),
    *("INSUFFICIENT_AVAILABLE", "REFUND_EXCEEDS_REMAINING", "CAPTURE_EXCEEDS_HOLD"),
    *("OFFER_EXPIRED", "OFFER_NOT_ELIGIBLE", "REFUND_WINDOW_CLOSED", "CREATOR_NOT_VERIFIED"),
    "REFUND_REASON_UNKNOWN",
    *("OFFER_EXHAUSTED", "UNKNOWN_OFFER"),
    *("PAYOUT_ACCOUNT_NOT_READY", "NEGATIVE_MARGIN", "UNBALANCED", "CLOCK_SKEW"),
    *("ACCOUNT_HAS_BALANCE", "IDEMPOTENCY_KEY_REUSED", "AWAITING_REFERENT", "PRICE_MISMATCH"),
    *("UNKNOWN_BOOK", "UNKNOWN_POLICY", "UNKNOWN_PAYMENT", "UNKNOWN_PAYOUT", "UNKNOWN_BREAK"),
    *(
        "UNKNOWN_ADJUSTMENT",
        "UNKNOWN_PROPOSAL",
        "UNKNOWN_CALL",
        "UNKNOWN_HOLD",
        "UNKNOWN_AUTHORIZATION",
    ),
    *("UNKNOWN_SUBSCRIPTION", "UNKNOWN_SALE", "UNKNOWN_PURCHASE", "UNKNOWN_TIER"),
    *("UNKNOWN_PACKAGE", "NO_POLICY", "DUPLICATE_PAYMENT", "STALE_FIGURE", "UNKNOWN_TAX_COUNTRY"),
    "SUBJECT_ERASED",
}


def holds(
    verdict: Verdict,
    outcome: str,
    code: str | None,
    *,
    details: dict[str, Any],
    bodies: Sequence[dict[str, Any]],
) -> None:
    """The answer is what the auditor says, to the cent."""
    assert (outcome, code) == (verdict.outcome, verdict.code), (details, bodies)
    assert code is None or code in DOCUMENTED, code
    if not verdict.numbers:
        return
    shown = details
    if outcome == "accepted":
        # What is the default of a field is left out of an event's body.
        found = [body for body in bodies if any(body.get(n) for n in verdict.numbers)]
        shown = found[0] if found else {}
    assert {n: shown.get(n, 0) for n in verdict.numbers} == verdict.numbers, (shown, verdict)
