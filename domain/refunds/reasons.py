"""The reasons for which people may ask for refunds."""

from domain.command import Given
from domain.rejections import REFUND_REASON_UNKNOWN, Rejection, reject


def reason_refusal(given: Given, reason: str) -> Rejection | None:
    """Rejection of a reason that is not on the list of the policy in force, if it has a list."""
    allowed = None if given.policy is None else given.policy.policy.refund_reasons
    if allowed is None or reason in allowed:
        return None
    return reject(REFUND_REASON_UNKNOWN, reason_code=reason, allowed=", ".join(allowed))
