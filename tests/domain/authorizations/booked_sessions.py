"""A book of sessions by card."""

from typing import Any

from domain.accounts import balanced
from domain.authorizations.authorization import PaymentAuthorized, PaymentCaptured
from domain.rejections import Rejection
from tests.domain.in_memory_book import ASSETS, InMemoryBook
from tests.scenarios.policies import SESSION_BOOKING


class Sessions(InMemoryBook):
    """A book of booked sessions."""

    def __init__(self, **policy: Any) -> None:
        super().__init__({**SESSION_BOOKING, **policy})
        self.refs = 0

    def fields(self, amount: int = 10_000, tier: str = "STANDARD", **more: Any) -> dict[str, Any]:
        self.refs += 1
        return {
            "session": f"s{self.refs}",
            "user": "ann",
            "payee": "carl",
            "tier": tier,
            "amount": amount,
            "processor": "stripe",
            "processor_ref": f"pi_{self.refs}",
            **more,
        }

    def authorize(self, amount: int = 10_000, tier: str = "STANDARD", **more: Any) -> str:
        (event,) = self.happens("authorize", **self.fields(amount, tier, **more))
        assert isinstance(event, PaymentAuthorized)
        assert event.postings(ASSETS) == ()
        return event.payment_id

    def capture(self, payment: str, amount: int) -> PaymentCaptured:
        captured = self.happens("capture", payment=payment, amount=amount)[0]
        assert isinstance(captured, PaymentCaptured)
        balanced(captured.postings(ASSETS))
        return captured

    def refused(self, name: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        decision = self.decide(name, **fields)
        assert isinstance(decision, Rejection), decision
        return decision.reason.code, decision.details
