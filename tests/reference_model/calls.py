"""Calls: the talk as a list of spans in microseconds; whatever is complete and unpaid is due."""

from datetime import datetime, timedelta
from typing import Any

from tests.reference_model.books import LIMIT, instant
from tests.reference_model.sessions import Sessions
from tests.reference_model.verdicts import NOTHING, Verdict, rejected

IDLE = timedelta(hours=4)
LATE = timedelta(minutes=15)
BLOCKS = 480


class Calls(Sessions):
    """Calls by id."""

    def __init__(self, book: str) -> None:
        super().__init__(book)
        self.calls: dict[str, dict[str, Any]] = {}

    def start_call(self, fields: dict[str, Any]) -> Verdict:
        """A fan calls a creator."""
        policy, user, creator = self.policy(), fields["user"], fields["creator"]
        if policy is None:
            return rejected("NO_POLICY")
        seconds = policy.get("block_seconds", 30)
        tokens = -(-fields["rate"] * seconds // 60)
        code = self.parties(policy, user, creator, "call", "TOKEN")
        if self.is_frozen("creator", creator, "EARN") and code != "ACCOUNT_FROZEN":
            code = "CREATOR_FROZEN"
        code = code or self.price(policy, "call", fields["rate"] * policy["unit_value"])
        if code is None and tokens * policy["unit_value"] > LIMIT:
            code = "INVALID_AMOUNT"
        if code is None and not self.creators[creator]["verified"]:
            code = "CREATOR_NOT_VERIFIED"
        before = self.calls[self.in_call[user]] if user in self.in_call else None
        if code is None and before and not self._idle(before):
            code = "CALL_ALREADY_ACTIVE"
        if code is None and fields["call"] in self.calls:
            code = "INVALID_TRANSITION"
        if code is not None:
            return rejected(code)
        lacking = self.short(user, tokens)
        if lacking is not None:
            return lacking
        if before:
            self._end(before, before["touched"] + IDLE, "over")
        self.in_call[user] = fields["call"]
        self.calls[fields["call"]] = {
            "user": user,
            "creator": creator,
            "policy": policy,
            "block": timedelta(seconds=seconds),
            "tokens": tokens,
            "state": "active",
            "spans": [[self.now, None]],
            "blocks": 0,
            "touched": self.now,
            "ended": None,
            "reason": "",
        }
        return Verdict("accepted")

    def pause_call(self, fields: dict[str, Any]) -> Verdict:
        """Nothing is due from now on."""
        call = self.calls.get(fields["call"])
        if call is None:
            return rejected("UNKNOWN_CALL")
        if call["state"] != "active" or self._idle(call):
            return rejected("CALL_NOT_ACTIVE")
        call |= {"state": "paused", "touched": self.now}
        call["spans"][-1][1] = self.now
        return Verdict("accepted")

    def resume_call(self, fields: dict[str, Any]) -> Verdict:
        """The talk goes on."""
        call = self.calls.get(fields["call"])
        if call is None:
            return rejected("UNKNOWN_CALL")
        if call["state"] == "active":
            return rejected("INVALID_TRANSITION")
        if call["state"] == "ended" or self._idle(call):
            return rejected("CALL_NOT_ACTIVE")
        call |= {"state": "active", "touched": self.now}
        call["spans"].append([self.now, None])
        return Verdict("accepted")

    def end_call(self, fields: dict[str, Any]) -> Verdict:
        """Over, now or since it was idle."""
        call = self.calls.get(fields["call"])
        if call is None:
            return rejected("UNKNOWN_CALL")
        if call["state"] == "ended":
            return rejected("CALL_NOT_ACTIVE")
        self._end(call, min(self.now, call["touched"] + IDLE), "ended")
        return Verdict("accepted")

    def _idle(self, call: dict[str, Any]) -> bool:
        idle: bool = self.now >= call["touched"] + IDLE
        return idle

    def _end(self, call: dict[str, Any], at: datetime, reason: str) -> None:
        call |= {"state": "ended", "ended": at, "reason": reason}
        del self.in_call[call["user"]]

    def _complete(self, call: dict[str, Any], until: datetime) -> list[datetime]:
        """When each block of the whole call, paid or not, was complete."""
        until = min(until, call["ended"] or until)
        found, talked = [], timedelta()
        for start, end in call["spans"]:
            at, stop = start, min(end or until, until)
            while at + (missing := call["block"] - talked) <= stop:
                at, talked = at + missing, timedelta()
                found.append(at)
            if at < stop:
                talked, last = talked + stop - at, stop
        over = call["ended"] is not None and until >= call["ended"]
        if talked and over and call["policy"].get("final_block") == "CHARGED":
            found.append(last)
        return found

    def meter_call(self, fields: dict[str, Any]) -> Verdict:
        """All that is complete and unpaid is charged, as far as the tokens last."""
        at = instant(fields["as_of"]) if "as_of" in fields else self.now
        if at > self.now + timedelta(seconds=5):
            return rejected("CLOCK_SKEW")
        at = min(at, self.now)
        call = self.calls.get(fields["call"])
        if call is None:
            return rejected("UNKNOWN_CALL")
        over = call["state"] == "ended"
        if over and self.now > call["ended"] + LATE:
            due = self._complete(call, call["ended"])[call["blocks"] :]
            call["blocks"] += len(due[:BLOCKS])
            return Verdict("accepted") if due else rejected("CALL_NOT_ACTIVE")
        if over and (call["reason"] == "broke" or self.is_frozen("wallet", call["user"], "SPEND")):
            return NOTHING
        return Verdict("accepted") if self._meter(call, at) else NOTHING

    def _meter(self, call: dict[str, Any], at: datetime, name: str = "") -> bool:
        """Charge what is due at a moment, and end what is to end; whether that changes anything."""
        over = call["state"] == "ended"
        if not over and self.is_frozen("wallet", call["user"], "SPEND"):
            self._end(call, self.now, "frozen")
            return True
        idle_at = call["touched"] + IDLE
        due = self._complete(call, at if over else min(at, idle_at))[call["blocks"] :]
        before = call["blocks"], call["state"]
        for complete in due[:BLOCKS]:
            if self.wallet(call["user"], complete) < call["tokens"]:
                if not over:
                    self._end(call, complete, "broke")
                break
            self._charge(call, complete, name)
        frozen = self.is_frozen("creator", call["creator"], "EARN")
        if len(due) <= BLOCKS and call["state"] != "ended" and (frozen or at >= idle_at):
            self._end(call, idle_at if at >= idle_at else self.now, "over")
        return before != (call["blocks"], call["state"])

    def used_until(self, user: str, at: datetime) -> None:
        """The talk up to that moment was paid from what was there."""
        if user in self.in_call:
            self._meter(self.calls[self.in_call[user]], at)

    def freeze(self, fields: dict[str, Any]) -> Verdict:
        """Nobody talks on with a creator who may not earn."""
        verdict = super().freeze(fields)
        who = fields["kind"], fields["scope"]
        if verdict.outcome == "accepted" and who == ("creator", "EARN"):
            talks = [
                call
                for call in self.calls.values()
                if call["creator"] == fields["subject"] and call["state"] != "ended"
            ]
            for nth, call in enumerate(talks):
                self._meter(call, self.now, f"{self.new_id}-{nth}")
        return verdict

    def _charge(self, call: dict[str, Any], complete: datetime, name: str) -> None:
        call["blocks"] += 1
        policy = call["policy"]
        sale = {
            "id": f"{name or self.new_id}-{call['blocks']}",
            "buyer": call["user"],
            "funding": "TOKEN",
            **self.terms(policy, self.now, late=False),
            "escrow": self.is_frozen("creator", call["creator"], "EARN"),
        }
        bps = self.share(policy, "call")
        self.spent(sale, call["creator"], call["tokens"], bps, policy["unit_value"], complete)
