"""A long history for the read models: everything there is, then sales undone in every way.

It begins with the golden history, in which each type of event happens. What follows is what that
one has no need of: refunds in several steps, several payees, disputes of every kind and bearer.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.golden.history import APPROVER, FINANCE, POLICY, play, sold, stripe
from tests.scenarios.steps import Sent, card_tip, card_unlock, grant, policy, purchase, tip, unlock
from tests.scenarios.steps_offers import offer
from tests.scenarios.write_path import WritePath


def live_through(stage: WritePath) -> WritePath:
    """All of it, one after the other."""
    play(stage)
    undone = (
        discounted,
        tokens_back,
        too_late,
        sharing,
        contested,
        charged_back,
        twice_disputed,
        much_spent,
        marked,
    )
    for chapter in (*undone, resubscribing, corrected, bear_losses, contested, charged_back):
        chapter(stage)
    return stage


def discounted(stage: WritePath) -> None:
    """Tokens are saved by an offer, and some of the sale comes back, as of a sale by card."""
    stage.given(purchase("small", 999, "sam"), offer("tokens", discount_bps=3_333))
    stage.when(unlock(400, "saved", "sam").but(offer="tokens"))
    stage.given(refund(stage.outcomes[0].event["sale_id"], 100))
    stage.when(card_tip(1_000, "sam", "cora", offer="tokens"))
    stage.given(returned(stage.outcomes[0].event["sale_id"], 333))


def marked(stage: WritePath) -> None:
    """Sales with labels by card and in tokens; some are undone, in part or whole."""
    for stream, price in (("s1", 700), ("s1", 1_001), ("s2", 399)):
        stage.when(card_tip(price, "cay", "lea").but(labels={"stream": stream, "campaign": "c7"}))
        sale = stage.outcomes[0].event["sale_id"]
        stage.given(returned(sale, 333))
    stage.given(dispute({"sale": sale}, 50, new("dispute")), close(last("dispute"), "LOST"))
    stage.given(card_tip(250, "cay", "lea"), purchase("small", 999, "lars"))
    stage.when(tip(90, "lars", "lea").but(labels={"stream": "s3"}))
    stage.given(refund(stage.outcomes[0].event["sale_id"], 31))


def tokens_back(stage: WritePath) -> None:
    """Token sales are refunded in part and whole; one lot ends in between."""
    stage.given(purchase("small", 999, "ann"), grant(30, "ann"))
    stage.when(unlock(399, "film", "ann"))
    film = stage.outcomes[0].event["sale_id"]
    stage.when(tip(100, "ann", "cora"))
    tipped = stage.outcomes[0].event["sale_id"]
    stage.given(
        refund(film, 100), refund(tipped, 33), refund(film, 299), refund(tipped, 33),
        unlock(101, "song", "ann"),
    )  # fmt: skip


def too_late(stage: WritePath) -> None:
    """Promotional tokens are spent, end, and are refunded."""
    recorded_at = datetime.fromisoformat(stage.outcomes[0].json["recorded_at"])
    soon = f"{recorded_at + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    stage.given(purchase("small", 999, "zoe"), grant(40, "zoe", expires_at=soon))
    stage.when(tip(150, "zoe", "cora"))
    stage.later(minutes=2).given(refund(stage.outcomes[0].event["sale_id"], 150))


def sharing(stage: WritePath) -> None:
    """Three creators share two sessions: one goes back in three steps, one is disputed."""
    for number, course in enumerate(([1_000, 5_000, 9_999], [3_333])):
        payees = [{"creator": f"c{n}", "weight": weight} for n, weight in enumerate((3, 2, 1))]
        terms = {"payee": "c0", "payees": payees, "tier": "STANDARD", "country": "DE"}
        booked = {"session": f"shared-{number}", "user": "bea", "amount": 9_999, **terms}
        stage.when(Sent("authorize", {**booked, **stripe(new("shared"))}))
        payment = sold(stage, "payment.authorized.v1")["payment_id"]
        stage.when(Sent("capture", {"payment": payment, "amount": 9_999}))
        sale = sold(stage, "payment.captured.v1")["sale_id"]
        stage.given([returned(sale, cumulative) for cumulative in course])
    stage.given(dispute({"sale": sale}, 5_000, new("dispute")))
    stage.given(close(last("dispute"), "LOST"))


def contested(stage: WritePath) -> None:
    """Card sales are disputed, after a refund and before one, lost and won, even after a loss."""
    for outcomes in (("WON",), ("LOST",), ("LOST", "WON")):
        stage.when(card_unlock(399, new("item"), "cay").but(country="DE"))
        sale = sold(stage, "content.unlocked.v1")["sale_id"]
        stage.given(returned(sale, 200), dispute({"sale": sale}, 399, new("dispute")))
        stage.given([close(last("dispute"), outcome) for outcome in outcomes])
    stage.when(card_tip(1_001, "cay", "carl"))
    sale = stage.outcomes[0].event["sale_id"]
    final = dispute({"sale": sale}, 500, new("dispute")).but(final=True)
    stage.given(final, returned(sale, 400))
    stage.when(card_tip(700, "cay", "carl"))
    sale = stage.outcomes[0].event["sale_id"]
    stage.given(dispute({"sale": sale}, 700, new("dispute")))


def charged_back(stage: WritePath) -> None:
    """Purchases are disputed in part and whole, with sales behind them, held tokens and none."""
    for share, outcomes in ((999, ("LOST",)), (500, ("LOST", "WON")), (999, ("WON",)), (999, ())):
        user = new("dan")
        stage.given(purchase("small", 999, user, ref=new("bought")).but(country="DE"))
        stage.when(tip(300, user, "cora"))
        tipped = stage.outcomes[0].event["sale_id"]
        stage.given(unlock(399, "film", user), refund(tipped, 50))
        stage.given(dispute({"payment_ref": last("bought")}, share, new("dispute")))
        stage.given([close(last("dispute"), outcome) for outcome in outcomes])


def twice_disputed(stage: WritePath) -> None:
    """Two disputes of one purchase are lost, and one of them is won after all."""
    stage.given(purchase("small", 999, "nan", ref="twice").but(country="DE"))
    stage.given(tip(300, "nan", "cora"), unlock(399, "film", "nan"))
    for amount in (500, 499):
        stage.given(dispute({"payment_ref": "twice"}, amount, new("dispute")))
        stage.given(close(last("dispute"), "LOST"))
    stage.given(close(last("dispute"), "WON"))


def much_spent(stage: WritePath) -> None:
    """So many sales are behind a purchase that its loss takes two events, and its win too."""
    stage.given(purchase("small", 999, "max", ref="much"))
    stage.given([tip(9, "max", "cora") for _ in range(101)])
    stage.given(dispute({"payment_ref": "much"}, 999, new("dispute")))
    stage.given(close(last("dispute"), "LOST"), close(last("dispute"), "WON"))


def resubscribing(stage: WritePath) -> None:
    """Of three periods the last is refunded; what was bought for good is not shortened by any."""
    terms = {"subscription": "monthly", "user": "eve", "creator": "carl", "price": 499}
    stage.given(card_unlock(399, "carl", "eve"))
    stage.given(Sent("start-subscription", terms))
    for begin, end in pairwise(f"2036-0{month}-01T00:00:00Z" for month in (1, 2, 3, 4)):
        period = {"subscription": "monthly", "period_start": begin, "period_end": end}
        stage.when(Sent("charge-period", {**period, "price": 499, **stripe(new("period"))}))
    stage.given(returned(stage.outcomes[0].event["sale_id"], 499))


def corrected(stage: WritePath) -> None:
    """An adjustment gives promotional tokens to one and takes some from another."""
    promo = f"{stage.book.name}.PROMO"
    legs = [["supply", promo, 20], ["w.fay.free", promo, -50], ["w.ann.free", promo, 30]]
    stage.given(grant(30, "ann"))
    stage.when(Sent("propose-adjustment", {"postings": legs, "reason_code": "MISTAKE"}, *FINANCE))
    proposed = {"adjustment": stage.outcomes[0].event["adjustment_id"]}
    stage.given(Sent("approve-adjustment", proposed, *APPROVER))


def bear_losses(stage: WritePath) -> None:
    """From now on the platform bears disputes, but not the fees of those that are won."""
    terms = {"dispute_bearer": "PLATFORM", "dispute_fee_refundable": True}
    proposed, approved = policy({**POLICY, **terms})
    stage.when(proposed)
    stage.given(approved.but(version=stage.outcomes[0].event["version"]))


def refund(sale: str, amount: int) -> Sent:
    """Somebody asks for a refund."""
    return Sent("refund", {"sale": sale, "amount": amount, "reason_code": "REQUESTED"})


def returned(sale: str, cumulative: int) -> Sent:
    """A processor refunded a card, so much by now."""
    return Sent("record-refund", {"sale": sale, "cumulative": cumulative, **stripe(new("refund"))})


def dispute(subject: dict[str, str], amount: int, ref: str) -> Sent:
    """A bank takes a payment back."""
    return Sent("open-dispute", {**subject, "amount": amount, "fee": 1_500, **stripe(ref)})


def close(ref: str, outcome: str) -> Sent:
    """The bank has decided."""
    return Sent("close-dispute", {"dispute": ref, "outcome": outcome, **stripe(new("closing"))})


_numbers: dict[str, Any] = {}


def new(name: str) -> str:
    """A name that nobody has yet."""
    _numbers[name] = _numbers.get(name, 0) + 1
    return last(name)


def last(name: str) -> str:
    """The last one of that name."""
    return f"{name}_{_numbers[name]}"
