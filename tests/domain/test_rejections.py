"""Every reason for a refusal: its status is the contract's, and its sentence can be filled in."""

import pytest

from domain.rejections import REASONS, reject

# As the contract's table of statuses has it. A code that is not listed there has its own line.
STATUSES = {
    400: {"INVALID_REQUEST"},
    401: {"UNAUTHENTICATED"},
    402: {"INSUFFICIENT_TOKENS", "NOT_ENTITLED"},
    403: {"ROLE_FORBIDDEN", "SELF_APPROVAL_FORBIDDEN"},
    404: {code for code in REASONS if code.startswith("UNKNOWN_")} - {"UNKNOWN_TAX_COUNTRY"},
    409: {
        "ALREADY_ENTITLED",
        "INVALID_TRANSITION",
        "CALL_ALREADY_ACTIVE",
        "CALL_NOT_ACTIVE",
        "HOLD_NOT_OPEN",
        "DUPLICATE_PERIOD",
        "DISPUTE_OPEN",
        "PAYOUT_IN_PROGRESS",
        "PERIOD_CLOSED",
        "ACCOUNT_FROZEN",
        "CREATOR_FROZEN",
        "REQUEST_IN_FLIGHT",
        "BATCH_ABORTED",
        "SUBJECT_ERASED",
        "OFFER_EXHAUSTED",
    },
    410: {"ANSWER_ARCHIVED"},
    413: {"BODY_TOO_LARGE"},
    429: {"RATE_LIMITED"},
    500: {"INTERNAL"},
    503: {"UNAVAILABLE"},
}
STATUS_OF = {code: status for status, codes in STATUSES.items() for code in codes}


class Anything(dict[str, object]):
    """Details of which every field is there."""

    def __missing__(self, key: str) -> object:
        return f"<{key}>"


@pytest.mark.parametrize("code", REASONS)
def test_a_reason_has_the_contracts_status_and_a_whole_sentence(code: str) -> None:
    reason = REASONS[code]
    assert reason.code == code
    assert reason.status == STATUS_OF.get(code, 422)
    assert reason.title
    assert reason.detail.format_map(Anything())
    assert reason.retryable == (reason.status in (429, 503))


def test_the_order_of_refusals_is_the_contracts() -> None:
    order = [
        "INVALID_REQUEST",
        "UNAUTHENTICATED",
        "ROLE_FORBIDDEN",
        "IDEMPOTENCY_KEY_REUSED",
        "UNKNOWN_POLICY",
        "ACCOUNT_FROZEN",
        "CREATOR_FROZEN",
        "PRODUCT_DISABLED",
        "SELF_DEALING",
        "PRICE_OUT_OF_RANGE",
        "OFFER_EXPIRED",
        "ALREADY_ENTITLED",
        "INSUFFICIENT_TOKENS",
    ]
    assert [code for code in REASONS if code in order] == order


def test_a_rejection_says_its_numbers() -> None:
    rejection = reject(REASONS["INSUFFICIENT_TOKENS"], required=13, current=12, shortfall=1)
    assert rejection.detail == "the wallet holds 12 tokens; 13 are needed"
