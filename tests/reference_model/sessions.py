"""Sessions: a card is authorised, then captured, voided, failed or too old; the first one wins."""

from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from tests.reference_model.books import instant
from tests.reference_model.selling import Selling
from tests.reference_model.verdicts import NOTHING, Verdict, rejected


class Sessions(Selling):
    """Authorisations by id, with the terms of their day."""

    def authorize(self, fields: dict[str, Any]) -> Verdict:
        """A card stands for an amount."""
        policy, user = self.policy(), fields["user"]
        payees = {one["creator"]: one["weight"] for one in fields.get("payees", [])}
        payees = payees or {fields["payee"]: 1}
        if policy is None:
            return rejected("NO_POLICY")
        off = self.off(fields, fields["amount"])
        if off is None:
            return rejected("UNKNOWN_OFFER")
        discount, ours = off
        if fields["tier"] not in policy["revenue_share"].get("tiers", {}):
            return rejected("UNKNOWN_TIER")
        codes = [
            self.parties(policy, user, creator, "session", "CARD")
            for creator in [*payees, fields["payee"]]
        ]
        order = ["ACCOUNT_FROZEN", "CREATOR_FROZEN", "PRODUCT_DISABLED", "SELF_DEALING"]
        code = next((one for one in order if one in codes), None)
        code = code or self.price(policy, "session", fields["amount"])
        code = code or self.untaxed(policy, fields)
        expires = self._expires(policy, fields)
        if code is None and expires is not None and expires <= self.now:
            code = "OFFER_EXPIRED"
        code = code or self.not_offered(fields, user, "session", "CARD", self.now)
        if code is None and discount + ours >= fields["amount"]:
            code = "OFFER_NOT_ELIGIBLE"
        if code is None and fields["processor_ref"] in self.payments:
            code = "INVALID_TRANSITION"
        standing = [
            one
            for one in self.sessions.values()
            if one["fields"]["session"] == fields["session"]
            and one["state"] in ("authorized", "captured")
        ]
        if code is None and len(standing) == 16:
            code = "INVALID_TRANSITION"
        if code is not None:
            return rejected(code)
        self.redeem(fields, user)
        country, rate = self.vat(policy, fields)
        self.sessions[self.new_id] = {
            "state": "authorized",
            "captured": 0,
            "stands_for": fields["amount"] - discount - ours,
            "ours": ours,
            "policy": policy,
            "bps": policy["revenue_share"]["tiers"][fields["tier"]],
            "country": country,
            "rate": rate,
            "payees": payees,
            "expires": expires,
            "started": False,
            "fields": fields,
        }
        known = self.payment(fields["processor_ref"])
        known |= {"state": "authorized", "processor": fields["processor"], "amount": 0}
        known["authorization"] = self.new_id
        return Verdict("accepted")

    def _expires(self, policy: dict[str, Any], fields: dict[str, Any]) -> datetime | None:
        """Until when it stands: as it says, else as long as all do."""
        if "expires_at" in fields:
            return instant(fields["expires_at"])
        hours = policy.get("hold_expiry_hours")
        return self.now + timedelta(hours=hours) if hours else None

    def capture(self, fields: dict[str, Any]) -> Verdict:
        """The card is charged on the terms of its authorisation."""
        known = self.sessions.get(fields["payment"])
        if known is None:
            return rejected("UNKNOWN_AUTHORIZATION")
        frozen = any(self.is_frozen("creator", one, "EARN") for one in known["payees"])
        if frozen and known["policy"].get("frozen_creator_rule") != "ESCROW":
            return rejected("CREATOR_FROZEN")
        if known["state"] != "authorized" or self._too_old(known):
            return rejected("HOLD_NOT_OPEN")
        amount, asked = fields["amount"], known["fields"]
        left = known["stands_for"] - known["captured"]
        if amount > left:
            return rejected("CAPTURE_EXCEEDS_HOLD", held=left)
        ours = -self._ours(known)
        known["captured"] += amount
        ours += self._ours(known)
        payees, bps, full = known["payees"], known["bps"], amount + ours
        known["state"] = "captured" if fields.get("final", True) else "authorized"
        sale = {
            "id": self.new_id,
            "buyer": asked["user"],
            "funding": "CARD",
            **self.terms(known["policy"], self.now, late=False),
            "escrow": frozen,
            **self.by_card(full, payees, bps, known["country"], known["rate"], ours=ours),
        }
        known = self.payment(asked["processor_ref"])
        if "sale" not in known:
            return self.counted(self.sold(sale, asked))
        first, before = known["sale"], known["amount"]
        verdict = self.counted(self.sold(sale, asked))
        known.setdefault("further", []).append(sale["id"])
        known |= {"sale": first, "amount": before + amount}
        return verdict

    def _ours(self, known: dict[str, Any]) -> int:
        """What of the part that is captured by now is ours to pay."""
        return floor(Fraction(known["ours"] * known["captured"], known["stands_for"]))

    def _ends(self, known: dict[str, Any], state: str) -> Verdict:
        """It ends without another capture; without any, its offer was not used."""
        known["state"] = state
        if not known["captured"]:
            self.redeem(known["fields"], known["fields"]["user"], -1)
        return Verdict("accepted")

    def start_session(self, fields: dict[str, Any]) -> Verdict:
        """From now on it may run for some hours."""
        known = self.sessions.get(fields["payment"])
        if known is None:
            return rejected("UNKNOWN_AUTHORIZATION")
        if known["state"] != "authorized" or self._too_old(known):
            return rejected("HOLD_NOT_OPEN")
        if known["started"]:
            return rejected("INVALID_TRANSITION")
        policy = self.policy()
        assert policy is not None
        hours = policy.get("session_hours", 4)
        known |= {"started": True, "expires": self.now + timedelta(hours=hours)}
        return Verdict("accepted")

    def extend_authorization(self, fields: dict[str, Any]) -> Verdict:
        """It stands for longer."""
        known, until = self.sessions.get(fields["payment"]), instant(fields["expires_at"])
        if known is None:
            return rejected("UNKNOWN_AUTHORIZATION")
        if known["state"] != "authorized" or self._too_old(known):
            return rejected("HOLD_NOT_OPEN")
        if until <= self.now:
            return rejected("OFFER_EXPIRED")
        if known["expires"] is None or until <= known["expires"]:
            return rejected("INVALID_TRANSITION")
        known["expires"] = until
        return Verdict("accepted")

    def _too_old(self, known: dict[str, Any]) -> bool:
        return known["expires"] is not None and self.now > known["expires"]

    def void(self, fields: dict[str, Any]) -> Verdict:
        """It is given up."""
        known = self.sessions.get(fields["payment"])
        if known is None:
            return rejected("UNKNOWN_AUTHORIZATION")
        if known["state"] != "authorized":
            return rejected("HOLD_NOT_OPEN")
        return self._ends(known, "voided")

    def withdrawn(self, payment: str) -> Verdict:
        """The processor withdrew it; after its end that changes nothing."""
        known = self.sessions[payment]
        if known["state"] != "authorized":
            return NOTHING
        return self._ends(known, "failed")
