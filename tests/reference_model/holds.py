"""Holds: tokens set aside in their lots, used batch by batch, the rest set free."""

from datetime import datetime, timedelta
from typing import Any

from tests.reference_model.books import instant
from tests.reference_model.calls import Calls
from tests.reference_model.verdicts import NOTHING, Verdict, rejected


class Holds(Calls):
    """Holds by id."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.holds: dict[str, dict[str, Any]] = {}

    def hold_credits(self, fields: dict[str, Any]) -> Verdict:
        """Tokens are set aside."""
        policy, user, tokens = self.policy(), fields["user"], fields["tokens"]
        if policy is None:
            return rejected("NO_POLICY")
        if self.is_frozen("wallet", user, "SPEND"):
            return rejected("ACCOUNT_FROZEN")
        if "hold" not in policy["products_enabled"] or "TOKEN" not in policy["funding"]:
            return rejected("PRODUCT_DISABLED")
        expires: datetime | None = None
        if policy.get("hold_expiry_hours"):
            expires = self.now + timedelta(hours=policy["hold_expiry_hours"])
        if "expires_at" in fields:
            expires = instant(fields["expires_at"])
        if expires is not None and expires <= self.now:
            return rejected("OFFER_EXPIRED")
        lacking = self.short(user, tokens)
        if lacking is not None:
            return lacking
        uses = self.taken(user, tokens)
        for use in uses:
            self.hold(user, use["lot"], use["tokens"])
        self.holds[self.new_id] = {
            "user": user,
            "open": True,
            "uses": uses,
            "expires": expires,
            "batches": {},
        }
        return Verdict("accepted", numbers={"tokens": tokens})

    def hold(self, user: str, lot: dict[str, Any], tokens: int) -> None:
        """Set tokens of a lot aside, or free if negative."""
        lot["held"] += tokens
        self.set_aside(user, lot["kind"], tokens)

    def settle_batch(self, fields: dict[str, Any]) -> Verdict:
        """A batch used some, once."""
        known, used = self.holds.get(fields["hold"]), fields["used"]
        if known is None:
            return rejected("UNKNOWN_HOLD")
        before = known["batches"].get(fields["batch_no"])
        if before is not None:
            return NOTHING if before == used else rejected("INVALID_TRANSITION")
        if not known["open"] or (known["expires"] is not None and self.now > known["expires"]):
            return rejected("HOLD_NOT_OPEN")
        held = sum(use["tokens"] for use in known["uses"])
        if used > held:
            return rejected("CAPTURE_EXCEEDS_HOLD", held=held)
        known["batches"][fields["batch_no"]] = used
        released, left = 0, used
        for use in known["uses"]:
            part = min(left, use["tokens"])
            use["tokens"] -= part
            left -= part
            released += self.consume_held(known["user"], use["lot"], part)
        self.money(("deferred", released), ("rev.usage", -released))
        return Verdict("accepted", numbers={"released": released, "tokens": used})

    def consume_held(self, user: str, lot: dict[str, Any], tokens: int) -> int:
        """Held tokens are gone; what they release."""
        lot["held"] -= tokens
        self.supply(user, lot["kind"], -tokens, "held")
        return self.release(lot, tokens)

    def release_hold(self, fields: dict[str, Any]) -> Verdict:
        """The rest is free again, and ends where its time is over."""
        known = self.holds.get(fields["hold"])
        if known is None:
            return rejected("UNKNOWN_HOLD")
        if not known["open"]:
            return rejected("HOLD_NOT_OPEN")
        known["open"] = False
        for use in known["uses"]:
            self.hold(known["user"], use["lot"], -use["tokens"])
        self.restate()
        for use in known["uses"]:
            tokens = min(use["tokens"], self.free(use["lot"]))
            if tokens and not self.lives(use["lot"]):
                self.end(known["user"], use["lot"], tokens)
        return Verdict("accepted")

    def restate(self) -> None:
        """What losses of purchases come to, now that tokens are back."""
        raise NotImplementedError
