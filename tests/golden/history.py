"""A small history in which every type of event happens at least once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.golden.offering import offering
from tests.golden.seldom import other_terms, seldom
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import (
    CREATOR,
    FAN,
    Sent,
    card_tip,
    freeze,
    grant,
    policy,
    purchase,
    ticket,
    tip,
    unlock,
)
from tests.scenarios.write_path import WritePath

#: The tokens of a purchase of this day have lapsed.
LONG_AGO = "2020-02-28T23:59:59.5Z"
FINANCE = ("finance", "fay")
APPROVER = ("approver", "bob")

SINCE = {"effective_from": "1970-01-01T00:00:00Z"}
DISPUTED = {"payment_ref": "bought", "amount": 999, "fee": 1_500}

POLICY: dict[str, Any] = {
    **MICRO_UNLOCK,
    "vat": {"DE": 1900},
    "vat_elsewhere": 0,
    "revenue_share": {"default": 8000, "tiers": {"STANDARD": 7000}},
    "payout_minimum": 100,
    "maturity_days": 7,
    "products_enabled": [
        *("unlock", "message", "ticket", "tip"),
        *("call", "session", "hold", "subscription"),
    ],
    "tier_ladder": [{"tier": "REGULAR", "min": 2_000}],
    "platform_subscriptions": True,
    "breakage_months": 12,
    "frozen_creator_rule": "ESCROW",
}


def play(stage: WritePath) -> None:
    """Let it all happen; every step must be accepted or, once, suspended."""
    sales = (calling, holding, refunding, reversing, disputing, taking_back, booking, subscribing)
    others = (offering, payouts, adjusting, settling, seldom, closing)
    for chapter in (spending, earning, *sales, *others):
        chapter(stage)
    other_terms(stage, POLICY)
    stage.check()


def spending(stage: WritePath) -> None:
    """Tokens are bought, given and spent; some end unused."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    frozen = freeze(FAN, "wallet", "SPEND")
    stage.given(
        policy(POLICY),
        purchase("small", price=999).but(country="DE"),
        purchase("small", price=999, user="absent").but(occurred_at=LONG_AGO),
        grant(10, expires_at="2036-01-01T00:00:00Z"),
        grant(7, user="absent", expires_at=f"{soon:%Y-%m-%dT%H:%M:%S.%fZ}"),
        tip(20).but(on_behalf_of=FAN, attribution={"source": "DIRECT", "campaign_id": "spring"}),
        unlock(399, item="photo", discount=100, item_class="micro"),
        Sent("unlock-message", unlock(150, item="letter").fields),
        ticket(50, item="stream", access_until="2036-12-31T00:00:00Z"),
        frozen,
        Sent("unfreeze", frozen.fields),
    )
    stage.when(purchase("small", price=998, ref="wrong"))
    assert stage.outcomes[0].code == "PRICE_MISMATCH"
    stage.when(card_tip(500, processor_ref="euros", currency="EUR"))
    assert stage.outcomes[0].code == "CURRENCY_MISMATCH"
    part = {"payment_ref": "euros", "amount": 100, **stripe("euros-1")}
    sent_back = {"payment_ref": "euros", "resolution": "RETURN"}
    stage.given(Sent("record-refund", part), Sent("release-payment", sent_back, *FINANCE))
    stage.later(minutes=2)
    returned = {"payment_ref": "wrong", "resolution": "RETURN"}
    stage.given(
        Sent("release-payment", returned, *FINANCE),
        Sent("expire-promo", {"user": "absent"}),
        Sent("lapse-tokens", {"user": "absent"}),
    )


def earning(stage: WritePath) -> None:
    """Earnings mature, and leave escrow when a freeze is lifted."""
    frozen = freeze(CREATOR, "creator", "EARN")
    stage.given(
        card_tip(9_000, country="DE", labels={"stream": "s1", "campaign": "c7"}),
        frozen,
        card_tip(500),
        Sent("unfreeze", frozen.fields),
        Sent("release-escrow", {"creator": CREATOR}),
        Sent("verify-creator", {"creator": CREATOR, "verified": True}),
        account(enabled=True),
    )
    stage.later(days=8).given(Sent("mature-earnings", {"creator": CREATOR}))


def payouts(stage: WritePath) -> None:
    """One payout is paid and comes back, one fails, one is rejected."""
    to_bank = {"processor": "stripe"}
    approved, submitted = (
        step("approve-payout", APPROVER),
        step("submit-payout", FINANCE, **to_bank),
    )
    came_back = step("return-payout", FINANCE, reason_code="BANK")
    failed = step("fail-payout", FINANCE, reason_code="BANK")
    rejected = step("reject-payout", APPROVER, reason_code="DOUBT")
    for number, course in enumerate(
        [
            [approved, submitted, step("confirm-payout", FINANCE), came_back],
            [approved, submitted, failed],
            [rejected],
        ]
    ):
        stage.given(account(enabled=True))
        stage.when(Sent("request-payout", {"creator": CREATOR, "amount": 1_000}))
        payout_id = stage.outcomes[0].event["payout_id"]
        for each in course:
            fields = {**each.fields, "payout": payout_id}
            if each.command == "submit-payout":
                fields["processor_ref"] = f"payout-{number}"
            stage.given(Sent(each.command, fields, each.role, each.actor))


def calling(stage: WritePath) -> None:
    """A call is paused and goes on; of its blocks some are paid and the last come too late."""
    call = {"call": "call-1"}
    started = {**call, "user": FAN, "creator": CREATOR, "rate": 60}
    stage.given(purchase("small", price=999), Sent("start-call", started))
    stage.later(seconds=65).given(Sent("meter-call", call), Sent("pause-call", call))
    stage.later(seconds=60).given(Sent("resume-call", call))
    stage.later(seconds=70).given(Sent("end-call", call))
    stage.later(minutes=20).when(Sent("meter-call", call))


def holding(stage: WritePath) -> None:
    """Credits are held for a campaign, used in part, and the rest is released."""
    stage.given(purchase("small", price=999, user="tenant"))
    stage.when(Sent("hold-credits", {"user": "tenant", "tokens": 300}))
    hold = {"hold": stage.outcomes[0].event["hold_id"]}
    stage.given(Sent("settle-batch", {**hold, "batch_no": 1, "used": 200}))
    stage.given(Sent("release-hold", hold))


def adjusting(stage: WritePath) -> None:
    """Of two proposals one is approved and one rejected."""
    postings = [["exp.goodwill", "USD", 250], [f"cr.{CREATOR}.available", "USD", -250]]
    proposal = {"postings": postings, "reason_code": "GOODWILL", "evidence": "a letter"}
    for command, more in (("approve", {}), ("reject", {"reason_code": "DOUBT"})):
        stage.when(Sent("propose-adjustment", proposal, *FINANCE))
        proposed = {"adjustment": stage.outcomes[0].event["adjustment_id"]}
        stage.given(Sent(f"{command}-adjustment", {**proposed, **more}, *APPROVER))


def refunding(stage: WritePath) -> None:
    """A card sale is refunded in part; a second refund fails at the processor."""
    stage.when(card_tip(1_190, country="DE"))
    sale = {"sale": sold(stage, "tip.sent.v1")["sale_id"]}
    stage.given(
        Sent("refund", {**sale, "amount": 500, "reason_code": "REQUESTED"}),
        Sent("record-refund", {**sale, "cumulative": 500, **stripe("refund-1")}),
    )
    stage.when(Sent("refund", {**sale, "amount": 100, "reason_code": "REQUESTED"}))
    refund = {"refund": stage.outcomes[0].event["refund_id"], "reason_code": "CARD_EXPIRED"}
    stage.given(Sent("fail-refund", {**refund, **stripe("refund-2")}))


def reversing(stage: WritePath) -> None:
    """A recorded refund fails, then its payment does; of one in suspense some is refunded."""
    stage.given(card_tip(1_190, country="DE", processor_ref="bounces"))
    sale = {"payment_ref": "bounces", **stripe("refund-3"), "amount": 500}
    failed = {"refund": "refund-3", "reason_code": "CLOSED", **stripe("refund-4")}
    bounced = {"payment_ref": "bounces", "reason_code": "RETURNED", **stripe("bounced")}
    stage.given(
        Sent("record-refund", sale), Sent("fail-refund", failed), Sent("fail-payment", bounced)
    )
    stage.when(purchase("small", price=997, ref="odd"))
    assert stage.outcomes[0].code == "PRICE_MISMATCH"
    stage.given(
        Sent("record-refund", {"payment_ref": "odd", **stripe("refund-5"), "amount": 500}),
        Sent("release-payment", {"payment_ref": "odd", "resolution": "RETURN"}, *FINANCE),
    )


def disputing(stage: WritePath) -> None:
    """A lost purchase is traced to its sales and won after all; another is refunded."""
    buyer = {"user": "buyer", "country": "DE"}
    stage.given(
        purchase("small", price=999, ref="bought").but(**buyer),
        tip(400, user="buyer"),
        Sent("open-dispute", {**stripe("dispute"), **DISPUTED}),
    )
    for outcome in ("LOST", "WON"):
        closed = {"dispute": "dispute", "outcome": outcome, **stripe(f"dispute-{outcome}")}
        stage.given(Sent("close-dispute", closed))
    stage.when(purchase("small", price=999).but(**{**buyer, "user": "sorry"}))
    bought = sold(stage, "tokens.purchased.v1")["purchase_id"]
    stage.given(tip(40, user="sorry"))
    back = {"purchase": bought, "reason_code": "REQUESTED"}
    stage.given(Sent("refund-purchase", back))


def taking_back(stage: WritePath) -> None:
    """Parts of purchases are lost, tokens come back afterwards, and the rest is refunded."""
    _lost_in_part(stage)
    _owed(stage)
    stage.given(
        purchase("small", price=999, ref="old", user="late").but(occurred_at=LONG_AGO),
        Sent("lapse-tokens", {"user": "late"}),
        Sent("open-dispute", {**DISPUTED, "payment_ref": "old", "final": True, **stripe("d-old")}),
    )
    stage.when(purchase("small", price=999, ref="fickle", user="fickle"))
    bought = sold(stage, "tokens.purchased.v1")["purchase_id"]
    stage.when(tip(60, user="fickle"))
    sale = sold(stage, "tip.sent.v1")["sale_id"]
    lost = {**DISPUTED, "payment_ref": "fickle", "final": True, **stripe("d-fickle")}
    stage.given(
        Sent("refund-purchase", {"purchase": bought, "reason_code": "REQUESTED"}),
        Sent("refund", {"sale": sale, "amount": 60, "reason_code": "REQUESTED"}),
        Sent("open-dispute", lost),
    )


def _lost_in_part(stage: WritePath) -> None:
    """Creators bear a part, which a refund of the sale takes over; then the payment fails."""
    stage.when(purchase("small", price=999, ref="back").but(user="returner", country="DE"))
    bought = sold(stage, "tokens.purchased.v1")["purchase_id"]
    stage.when(tip(600, user="returner"))
    sale = sold(stage, "tip.sent.v1")["sale_id"]
    reason = {"reason_code": "REQUESTED"}
    lost = {**DISPUTED, "payment_ref": "back", "amount": 47, "final": True}
    won = {"dispute": "d-back", "outcome": "WON"}
    stage.given(
        Sent("open-dispute", {**lost, **stripe("d-back")}),
        Sent("refund", {"sale": sale, "amount": 300, **reason}),
        Sent("refund-purchase", {"purchase": bought, **reason}),
        Sent("close-dispute", {**won, **stripe("d-back-won")}),
        Sent("record-refund", {"payment_ref": "back", "amount": 100, **stripe("r-back")}),
        Sent("fail-refund", {"refund": "r-back", "reason_code": "CLOSED", **stripe("f-back")}),
        Sent("fail-payment", {"purchase": bought, "reason_code": "RETURNED", **stripe("bounce")}),
    )


def _owed(stage: WritePath) -> None:
    """A campaign has used what its purchase's processor takes back; a refund settles the debt."""
    stage.when(purchase("small", price=999, ref="campaign", user="campaign"))
    bought = sold(stage, "tokens.purchased.v1")["purchase_id"]
    stage.when(Sent("hold-credits", {"user": "campaign", "tokens": 500}))
    hold = {"hold": stage.outcomes[0].event["hold_id"]}
    stage.given(
        Sent("settle-batch", {**hold, "batch_no": 1, "used": 300}),
        Sent("record-refund", {"purchase": bought, "amount": 477, **stripe("r-campaign")}),
        Sent("refund-purchase", {"purchase": bought, "reason_code": "REQUESTED"}),
        Sent("release-hold", hold),
    )


def booking(stage: WritePath) -> None:
    """Three sessions are authorised: one is captured, one cancelled, one refused by the bank."""
    for number, (command, more) in enumerate(
        [
            ("capture", {"amount": 9_000, "reason_code": "NO_SHOW"}),
            ("void", {"reason_code": "CANCELLED"}),
            ("fail-payment", {"reason_code": "DECLINED", **stripe("declined")}),
        ]
    ):
        session = {"session": f"session-{number}", "user": FAN, "payee": CREATOR}
        terms: dict[str, Any] = {
            "tier": "STANDARD",
            "amount": 10_000,
            **stripe(f"session-{number}"),
        }
        stage.when(Sent("authorize", {**session, **terms}))
        payment = {"payment": sold(stage, "payment.authorized.v1")["payment_id"]}
        longer = {"expires_at": "2036-01-01T00:00:00Z"}
        stage.given(
            Sent("start-session", payment),
            Sent("extend-authorization", {**payment, **longer}),
        )
        if command == "capture":
            stage.given(Sent(command, {**payment, "amount": 500, "final": False}))
        stage.given(Sent(command, {**payment, **more}))


def subscribing(stage: WritePath) -> None:
    """A subscription is paid for a month, fails the next and lapses; another is cancelled."""
    subscription = {"subscription": "sub-1"}
    seat = {"user": "tenant", "plan": "basic"}
    larger = {"plan": "plus", "price": 999, "from_period": "2026-01-01T00:00:00Z"}
    terms = {"user": FAN, "creator": CREATOR, "price": 999}
    first, second = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    paid = {"period_start": first, "period_end": second, "price": 999, **stripe("period-1")}
    stage.given(
        Sent("start-subscription", {**subscription, **terms}),
        Sent("charge-period", {**subscription, **paid}),
        Sent("fail-period", {**subscription, "period_start": second, **stripe("period-2")}),
        Sent("lapse-subscription", subscription),
        Sent("start-subscription", {"subscription": "sub-2", **terms}),
        Sent("cancel-subscription", {"subscription": "sub-2"}),
        Sent("start-subscription", {"subscription": "sub-3", **seat, "price": 999}),
        Sent("change-subscription", {"subscription": "sub-3", **larger}),
        Sent("charge-period", {**paid, "subscription": "sub-3", **stripe("period-3")}),
        Sent(
            "record-refund",
            {"payment_ref": "period-3", "amount": 99, **stripe("period-3-refund")},
        ),
    )


def settling(stage: WritePath) -> None:
    """A settlement file holds a payment that comes in two parts and one that nobody knows, and
    says that the processor paid less than its lines make.
    """
    stage.given(card_tip(700, processor_ref="settled"))
    lines: list[dict[str, Any]] = [
        {"line_ref": "txn_1", "kind": "PAYMENT", "processor_ref": "settled", "gross": 400},
        {"line_ref": "txn_2", "kind": "PAYMENT", "processor_ref": "settled", "gross": 100},
        {"line_ref": "txn_3", "kind": "PAYMENT", "processor_ref": "settled", "gross": 200},
        {"line_ref": "txn_4", "kind": "PAYMENT", "processor_ref": "unknown", "gross": 750},
    ]
    file: dict[str, Any] = {
        "processor": "stripe",
        "file_sha256": "ab" * 32,
        "lines": lines,
        "first_line": 1,
    }
    stage.when(Sent("import-settlement", {**file, "fee": 15, "payout": 1_430}, *FINANCE))
    unknown, short = (
        event["body"]["break_id"]
        for event in stage.outcomes[0].json["events"]
        if event["type"] == "break.opened.v1" and event["body"]["difference"] in (750, -5)
    )
    stage.given(
        Sent("assign-break", {"break": short, "owner": "fay"}, *FINANCE),
        resolved(unknown, "RETURN"),
        resolved(short, "WRITE_OFF"),
    )


def resolved(name: str, resolution: str) -> Sent:
    """Fay decides on a break."""
    fields = {"break": name, "resolution": resolution, "reason_code": "CHECKED"}
    return Sent("resolve-break", fields, *FINANCE)


def sold(stage: WritePath, kind: str) -> dict[str, Any]:
    """The event of a type that the last command made, invoices aside."""
    (body,) = [e["body"] for e in stage.outcomes[0].json["events"] if e["type"] == kind]
    return dict(body)


def stripe(ref: str) -> dict[str, str]:
    """A processor's reference."""
    return {"processor": "stripe", "processor_ref": ref}


def closing(stage: WritePath) -> None:
    """A month is closed, somebody who has nothing here is erased, and two people are needed."""
    for_two = {**POLICY, "second_person": {"close_period": True, "grant_per_day": 1_000}}
    frozen = freeze("odd", "wallet", "SPEND")
    stage.given(
        Sent("close-period", {"period": "2020-02"}, *FINANCE),
        Sent("erase-subject", {"subject": "stranger", "kind": "wallet"}, "admin", "alice"),
        Sent("propose-policy", {**SINCE, "body": for_two}, "admin", "alice"),
        Sent("approve-policy", {"version": 2}, *APPROVER),
    )
    for answer, more in (("reject-proposal", {"reason_code": "SOON"}), ("approve-proposal", {})):
        stage.when(Sent("close-period", {"period": "2020-03"}, *FINANCE))
        proposal = sold(stage, "command.proposed.v1")["proposal"]
        stage.given(Sent(answer, {"proposal": proposal, **more}, *APPROVER))
    stage.given(
        grant(10, user="odd"),
        Sent("freeze", frozen.fields, *FINANCE),
        Sent("unfreeze", frozen.fields, *FINANCE),
    )


def step(command: str, who: tuple[str, str], **fields: str) -> Sent:
    """What somebody does about a payout."""
    return Sent(command, fields, *who)


def account(*, enabled: bool) -> Sent:
    """A creator's account to pay out to."""
    return Sent("set-payout-account", {"creator": CREATOR, "payouts_enabled": enabled})
