"""What the people in the office do: payouts, settlement files, corrections, months, policies."""

from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from api.simulation.year.payments import agreed, pay
from api.simulation.year.platform import (
    ADMIN,
    APPROVER,
    FINANCE,
    FIRST_SHARE,
    MODERATOR,
    OFFERED_BPS,
    Platform,
    made,
    text,
)
from api.simulation.year.products import charge_twice
from api.simulation.year.sales import buy_tokens, spend_by_card
from ledger.write.answer import Answer

LINES_MAX = 400
#: The rules change once, after so many days.
NEW_POLICY_AFTER = timedelta(days=40)


def welcome(platform: Platform, begins: datetime) -> None:
    """Let every creator join at some time, be verified and say where to be paid."""
    extent = platform.extent
    for number in range(extent.creators):
        share = ((number + 1) / extent.creators - FIRST_SHARE) / (1 - FIRST_SHARE)
        at = begins + max(0.0, share) * (extent.ends - begins) * 0.98
        creator = {"creator": f"creator-{number}"}
        verified = {**creator, "verified": True}
        ready = {**creator, "payouts_enabled": True}
        platform.later(at, partial(platform.act, at, "verify-creator", verified))
        platform.later(at, partial(platform.act, at, "set-payout-account", ready))


def week(platform: Platform, day: datetime) -> None:
    """What is done every Monday: files come, payouts are asked for, somebody is looked at."""
    at = day + timedelta(hours=9)
    for processor in sorted(platform.lines):
        settle(platform, at, processor)
    if platform.policy.payout_schedule is None and platform.policy.payout_minimum is not None:
        _ask_for_payouts(platform, at + timedelta(hours=1))
    if platform.chance(0.4):
        freeze(platform, at + timedelta(hours=2))
    if "TOKEN" in platform.policy.funding:
        _grant(platform, at + timedelta(hours=3))


def month(platform: Platform, day: datetime) -> None:
    """What is done on the fifth of a month: an offer, a correction, and the month before ends."""
    before = day.replace(day=1) - timedelta(days=1)
    if before >= platform.extent.begins:
        closed = {"period": f"{before:%Y-%m}"}
        platform.act(day + timedelta(hours=15), "close-period", closed, by=FINANCE)
    _late_facts(platform, day - timedelta(days=8))
    _offer(platform, day + timedelta(hours=10))
    _adjust(platform, day + timedelta(hours=11))
    if platform.chance(0.5):
        subject = f"fan-{platform.extent.fans + 1}"  # who came to look and never paid
        fields = {"subject": subject, "kind": "wallet"}
        platform.act(day + timedelta(hours=16), "erase-subject", fields, by=ADMIN)


def _late_facts(platform: Platform, at: datetime) -> None:
    """Payments of a month that will be closed before their notices come."""
    late, policy = timedelta(days=10), platform.policy
    if at < platform.extent.begins:
        return
    if "TOKEN" in policy.funding:
        buy_tokens(platform, at, late=late)
        wrong: dict[str, Any] = {
            "user": platform.fan(at),
            "package": min(policy.packages),
            "price": 777,
        }
        pay(platform, at, "record-purchase", wrong, user=wrong["user"], amount=777)
    elif "unlock" in policy.products_enabled:
        spend_by_card(platform, at, late=late)
    if "subscription" in policy.products_enabled and "CARD" in policy.funding:
        charge_twice(platform, at, late=late)


def payout_requested(platform: Platform, at: datetime, answer: Answer) -> None:
    """See a payout through, whoever asked for it."""
    payout = made(answer)
    if payout is None or not any(e.type == "payout.requested.v1" for e in answer.events):
        return
    named: dict[str, Any] = {"payout": payout}
    first = at + platform.hours(18, 30)
    if platform.chance(0.04):
        refused = {**named, "reason_code": "UNUSUAL"}
        platform.act(first, "reject-payout", refused, by=APPROVER)
        return
    platform.act(first, "approve-payout", named, by=APPROVER)
    submitted = {**named, "processor": "stripe", "processor_ref": f"po-{platform.number()}"}
    platform.act(first + timedelta(hours=20), "submit-payout", submitted)
    ends = first + timedelta(hours=44)
    if platform.chance(0.04):
        platform.act(ends, "fail-payout", {**named, "reason_code": "ACCOUNT_CLOSED"})
        return
    platform.act(ends, "confirm-payout", named)
    if platform.chance(0.04):
        returned = {**named, "reason_code": "NO_SUCH_ACCOUNT"}
        platform.act(ends + timedelta(days=3), "return-payout", returned)


def _ask_for_payouts(platform: Platform, at: datetime) -> None:
    least = max(platform.policy.payout_minimum or 0, 1)
    for creator, earned in sorted(platform.earned.items()):
        amount = earned * 9 // 10
        if amount < least and not platform.chance(0.02):
            continue
        fields: dict[str, Any] = {"creator": creator, "amount": max(1, amount)}
        if platform.policy.instant_fee_bps is not None and platform.chance(0.3):
            fields["instant"] = True
        platform.earned[creator] = earned - amount
        platform.act(
            at,
            "request-payout",
            fields,
            then=partial(payout_requested, platform, at),
        )


def settle(platform: Platform, at: datetime, processor: str) -> None:
    """Import the processor's file: seldom a line is missing, wrong or nobody's."""
    ready: list[dict[str, Any]] = []
    later: list[dict[str, Any]] = []
    for line in platform.lines[processor]:
        (ready if line["value_date"] < f"{at:%Y-%m-%d}" else later).append(line)
    platform.lines[processor] = later
    lines: list[dict[str, Any]] = []
    for line in ready:
        if line["kind"] == "PAYMENT" and platform.chance(0.01):
            missing = {"break": f"missing-{line['processor_ref']}", "resolution": "DISMISS"}
            when = at + timedelta(days=12)
            fields = {**missing, "reason_code": "PAID_BY_TRANSFER"}
            platform.act(when, "resolve-break", fields, by=FINANCE, then=agreed(platform, when))
            continue
        if platform.chance(0.008):
            line["gross"] -= 10
        lines.append(line)
    if platform.chance(0.15):
        lines.append(
            {
                "line_ref": f"ln-{platform.number()}",
                "kind": "PAYMENT",
                "processor_ref": f"unknown-{platform.number()}",
                "gross": 750,
                "fee": 0,
            }
        )
    if not lines:
        return
    fee = 25
    paid = sum(line["gross"] - line["fee"] for line in lines) - fee
    digest = sha256(f"{processor} {at} {platform.seed}".encode()).hexdigest()
    for first in range(0, len(lines), LINES_MAX):
        piece = lines[first : first + LINES_MAX]
        sent: dict[str, Any] = {"processor": processor, "file_sha256": digest, "lines": piece}
        sent["first_line"] = first + 1
        if first + LINES_MAX >= len(lines):
            sent |= {"fee": fee, "payout": paid}
        platform.act(
            at,
            "import-settlement",
            sent,
            by=FINANCE,
            then=partial(_see_to_breaks, platform, at),
        )


def _see_to_breaks(platform: Platform, at: datetime, answer: Answer) -> None:
    opened = [event for event in answer.events if event.type == "break.opened.v1"]
    for number in range(1, len(opened) + 1):
        name = f"{answer.events[0].event_id}_{number}"
        owner = {"break": name, "owner": "ada"}
        platform.act(at + timedelta(hours=4), "assign-break", owner, by=FINANCE)
        when = at + timedelta(days=2)
        for nth, how in enumerate(("WRITE_OFF", "RETURN")):  # one of them fits
            fields = {"break": name, "resolution": how, "reason_code": "SMALL_DIFFERENCE"}
            tried = when + timedelta(hours=nth)
            platform.act(tried, "resolve-break", fields, by=FINANCE, then=agreed(platform, tried))


def freeze(platform: Platform, at: datetime) -> None:
    """A fan is looked at by a moderator, or a creator by finance; both are free again soon."""
    if platform.chance(0.7):
        subject = {"subject": platform.fan(at), "kind": "wallet", "scope": "SPEND"}
        fields, by = {**subject, "reason_code": "RISK_REVIEW"}, MODERATOR
    else:
        scope = "EARN" if platform.chance(0.6) else "PAYOUT"
        subject = {"subject": platform.creator(at), "kind": "creator", "scope": scope}
        fields, by = {**subject, "reason_code": "IDENTITY_CHECK"}, FINANCE
    platform.act(at, "freeze", fields, by=by)
    platform.act(at + timedelta(days=2), "unfreeze", fields, by=by)
    if fields["scope"] == "EARN":
        named = {"creator": fields["subject"]}
        platform.act(at + timedelta(days=2, hours=1), "release-escrow", named, by=FINANCE)


def _grant(platform: Platform, at: datetime) -> None:
    for _ in range(platform.draw.randrange(3)):
        tokens = platform.draw.choice((50, 100, 250))
        fields = {"user": platform.fan(at), "tokens": tokens, "reason_code": "WELCOME_BACK"}
        if platform.chance(0.6):
            fields["expires_at"] = text(at + timedelta(days=14))
        platform.act(at, "grant-promo", fields)
    if platform.chance(0.06):  # so many that two people stand behind them
        fields = {"user": platform.fan(at), "tokens": 120_000, "reason_code": "COMPETITION"}
        platform.act(at, "grant-promo", fields, by=FINANCE, then=agreed(platform, at))


def _offer(platform: Platform, at: datetime) -> None:
    offered = ("unlock", "message", "ticket", "subscription", "session")
    products = [name for name in offered if name in platform.policy.products_enabled]
    if not products:
        return
    name, ends = f"offer-{platform.number()}", at + timedelta(days=10)
    fields: dict[str, Any] = {
        "offer": name,
        "products": products,
        "discount_bps": OFFERED_BPS,
        "starts_at": text(at),
        "ends_at": text(ends),
        "max_uses": 40,
    }
    if platform.chance(0.3):
        fields["max_uses_per_user"] = 1
    if platform.chance(0.2):
        ends = at + timedelta(days=5)
        withdrawn = {"offer": name}
        platform.act(ends, "withdraw-offer", withdrawn, by=FINANCE)
    platform.act(at, "publish-offer", fields, by=FINANCE)
    platform.offers[:] = [each for each in platform.offers if each[2] > at]
    platform.offers.append((name, tuple(products), ends))


def _adjust(platform: Platform, at: datetime) -> None:
    """Goodwill for a creator; on a platform without any, a processor's fee that was forgotten."""
    currency, amount = platform.policy.currency, platform.draw.randrange(5, 30) * 100
    legs = [["exp.processor", currency, amount], ["bank", currency, -amount]]
    if platform.policy.payout_minimum is not None:
        account = f"cr.{platform.creator(at)}.available"
        legs = [["exp.goodwill", currency, amount], [account, currency, -amount]]
    fields = {"postings": legs, "reason_code": "GOODWILL", "evidence": "see the ticket"}

    def then(answer: Answer) -> None:
        adjustment = made(answer)
        if adjustment is None:
            return
        when, named = at + timedelta(hours=5), {"adjustment": adjustment}
        if platform.chance(0.2):
            refused = {**named, "reason_code": "NOT_CLEAR"}
            platform.act(when, "reject-adjustment", refused, by=APPROVER)
        else:
            platform.act(when, "approve-adjustment", named, by=APPROVER)

    platform.act(at, "propose-adjustment", fields, by=FINANCE, then=then)


def new_policy(platform: Platform, at: datetime) -> None:
    """Tokens end from now on where there are any, and who disputes too often may not spend."""
    body = platform.policy.model_dump(mode="json")
    body["risk"] = {"freeze_after_disputes": 3}
    if "TOKEN" in platform.policy.funding:
        body |= {"promo_expiry_days": 45, "breakage_months": 4}
    fields = {"body": body, "effective_from": text(at + timedelta(days=1))}
    platform.act(at, "propose-policy", fields, by=FINANCE)
    approved = {"version": 2}
    platform.act(at + timedelta(hours=3), "approve-policy", approved, by=APPROVER)
