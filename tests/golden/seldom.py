"""What happens seldom, for the sake of the optional fields that only then stand in an event."""

from typing import Any

from tests.golden.offering import DE
from tests.golden.writing_off import writing_off
from tests.scenarios.steps import CREATOR, Sent, card_tip, card_unlock, purchase, tip
from tests.scenarios.steps_products import authorize
from tests.scenarios.write_path import WritePath

FINANCE = ("finance", "fay")
ASKED = {"reason_code": "REQUESTED"}
UNTIL = {"access_until": "2096-12-31T00:00:00Z"}


def seldom(stage: WritePath) -> None:
    """Purchases and sales go back in every way; of money in suspense banks take their part."""
    _many_sales(stage)
    _two_causes(stage)
    _back_and_forth(stage)
    _after_a_failure(stage)
    _in_suspense(stage)
    _moved(stage)
    _settled(stage)
    _paid_early(stage)
    _stale(stage)
    writing_off(stage)


def other_terms(stage: WritePath, document: dict[str, Any]) -> None:
    """Under a policy with other terms the same says more; then the terms are as before."""
    terms = {
        **document,
        "dispute_bearer": "PLATFORM",
        "dispute_fee_refundable": True,
        "promo_expiry_days": 30,
        "refund_window_days": 30,
        "hold_expiry_hours": 24,
        "withholding_bps": 1_000,
        "payout_schedule": "DAILY",
        "second_person": {"grant_per_day": 100},
    }
    call = {"call": "windowed", "user": "terms", "creator": CREATOR, "rate": 60}
    for_long = {"expires_at": "2096-01-01T00:00:00Z"}
    stage.given(
        *_published(terms, 3),
        purchase("small", price=999, user="terms", ref="terms"),
        Sent("start-call", call),
        Sent("end-call", {"call": "windowed"}),
        Sent("hold-credits", {"user": "terms", "tokens": 10, **for_long}),
        tip(200, user="terms"),
        _disputed("terms", "d-terms", 999, final=True),
    )
    stage.when(authorize(1_000, "STANDARD", "platforms"))
    rounded = {"payment": _made(stage, "payment.authorized.v1")["payment_id"]}
    stage.given(
        Sent("capture", {**rounded, "amount": 1_000}),
        _disputed("platforms", "d-platforms", 5, final=True),
        _bounced("platforms"),
    )
    trio = [{"creator": CREATOR, "weight": 2}, {"creator": "second", "weight": 1}]
    stage.given(authorize(9_000, "STANDARD", "trio", payees=trio, **DE, **for_long))
    stage.when(authorize(9_000, "STANDARD", "waits"))
    waits = {"payment": _made(stage, "payment.authorized.v1")["payment_id"]}
    stage.given(Sent("extend-authorization", {**waits, **for_long}))
    given = {"user": "terms", "tokens": 500, "reason_code": "WELCOME", "on_behalf_of": "eve"}
    stage.given(Sent("grant-promo", given))
    _told_by_files(stage)
    _paid_out(stage)
    stage.given(_published({**document, "second_person": {"close_period": True}}, 4))


def _published(document: dict[str, Any], version: int) -> list[Sent]:
    """Alice proposes the document, Bob approves it."""
    since = {"body": document, "effective_from": "1970-01-01T00:00:00Z"}
    return [
        Sent("propose-policy", since, "admin", "alice"),
        Sent("approve-policy", {"version": version}, "approver", "bob"),
    ]


def _paid_out(stage: WritePath) -> None:
    """Payouts with tax withheld for a country: one by a run, one that a creator asked for."""
    account = {"creator": "abroad", "payouts_enabled": True, "country": "DE"}
    stage.given(card_tip(90_000, creator="abroad"), Sent("set-payout-account", account))
    stage.later(days=8).given(Sent("mature-earnings", {"creator": "abroad"}))
    own = {"creator": "abroad", "amount": 1_000, "on_behalf_of": "abroad"}
    run = {"creator": "abroad", "scheduled": True}
    for asked in (own, run):
        stage.when(Sent("request-payout", asked))
        payout = {"payout": _made(stage, "payout.requested.v1")["payout_id"]}
        stage.given(
            Sent("approve-payout", payout, "approver", "bob"),
            Sent("submit-payout", {**payout, **_stripe(payout["payout"])}, *FINANCE),
            Sent("confirm-payout", payout, *FINANCE),
        )


def _many_sales(stage: WritePath) -> None:
    """So many sales bear a loss that it is told in two parts."""
    stage.given(purchase("small", price=999, user="many", ref="many"))
    stage.given([tip(6, user="many") for _ in range(81)])
    stage.given(
        _disputed("many", "d-many", 999, final=True),
        _won("d-many"),
        _refunded("many", "r-many", 900),
    )


def _two_causes(stage: WritePath) -> None:
    """A wallet stays frozen for a second dispute when the first is won."""
    for name in ("cause-1", "cause-2"):
        stage.given(
            purchase("small", price=999, user="twice", ref=name),
            _disputed(name, f"d-{name}", 500, final=True),
        )
    stage.given(_won("d-cause-1"))


def _back_and_forth(stage: WritePath) -> None:
    """Disputes that are won set tokens free; parts are rounded; what was taken is taken once."""
    stage.given(
        purchase("small", price=999, user="free", ref="free"),
        _disputed("free", "d-free", 500),
        _won("d-free"),
    )
    stage.when(purchase("small", price=999, user="cent", ref="cent"))
    cent = {"purchase": _made(stage, "tokens.purchased.v1")["purchase_id"]}
    stage.given(
        _disputed("cent", "d-cent", 1, final=True),
        Sent("refund-purchase", {**cent, **ASKED}),
        purchase("small", price=999, user="over", ref="over"),
        _disputed("over", "d-over", 999, final=True),
        _refunded("over", "r-over", 300),
        purchase("small", price=999, user="held", ref="held"),
        _disputed("held", "d-held", 500),
        _refunded("held", "r-held", 499),
        _failed("r-held"),
        purchase("small", price=999, ref="lapsed", user="lapsed").but(
            occurred_at="2020-02-28T23:59:59.5Z"
        ),
        Sent("lapse-tokens", {"user": "lapsed"}),
        _refunded("lapsed", "r-lapsed", 999),
        card_unlock(999, "until", processor_ref="until", **UNTIL),
        _refunded("until", "r-until", 999),
        _failed("r-until"),
        _disputed("until", "d-until", 999, final=True),
        _won("d-until"),
    )
    stage.when(purchase("small", price=999, ref="bonus", user="bonus"))
    bought = {"purchase": _made(stage, "tokens.purchased.v1")["purchase_id"]}
    stage.when(tip(60, user="bonus"))
    sale = _made(stage, "tip.sent.v1")["sale_id"]
    stage.given(
        Sent("refund-purchase", {**bought, **ASKED}),
        Sent("refund", {"sale": sale, "amount": 60, **ASKED}),
        _refunded("bonus", "r-bonus", 60),
    )


def _after_a_failure(stage: WritePath) -> None:
    """Refunds and disputes of payments that had failed, or that were lost, or beyond them."""
    stage.given(
        card_unlock(999, "bounced", processor_ref="failed"),
        _bounced("failed"),
        _refunded("failed", "r-failed", 300),
        _failed("r-failed"),
        _disputed("failed", "d-failed", 200, final=True),
        purchase("small", price=999, user="unpaid", ref="unpaid"),
        _bounced("unpaid"),
        _refunded("unpaid", "r-unpaid", 300),
        card_tip(1_000, processor_ref="lost"),
        _disputed("lost", "d-lost", 1_000, final=True),
        _refunded("lost", "r-lost", 400),
        _failed("r-lost"),
        card_tip(1_000, processor_ref="beyond"),
    )
    stage.when(_refunded("beyond", "r-beyond", 1_200))
    assert stage.outcomes[0].code == "INVALID_TRANSITION"


def _in_suspense(stage: WritePath) -> None:
    """A bank takes more than waits in suspense; another payment fails there, and one goes back."""
    frozen = {"subject": "careful", "kind": "wallet", "scope": "SPEND", "reason_code": "REVIEW"}
    stage.given(Sent("freeze", frozen))
    stage.when(card_tip(1_000, user="careful", processor_ref="careful"))
    assert stage.outcomes[0].code == "ACCOUNT_FROZEN"
    stage.given(
        _disputed("careful", "d-careful", 1_200),
        Sent("unfreeze", frozen),
        _released("careful", "APPLY"),
    )
    for ref in ("fails", "returns"):
        stage.when(purchase("small", price=998, user="careful", ref=ref))
        assert stage.outcomes[0].code == "PRICE_MISMATCH"
    stage.given(
        _bounced("fails"),
        _released("returns", "RETURN"),
        _refunded("returns", "r-returns", 998),
    )


def _moved(stage: WritePath) -> None:
    """Tokens are moved from one wallet to another, as of a day before."""
    stage.given(purchase("small", price=999, user="giver"))
    paid = f"{stage.name}.PAID"
    postings = [["w.giver.free", paid, 50], ["w.taker.free", paid, -50]]
    proposal = {"postings": postings, "reason_code": "MERGED", "effective_on": "2026-01-15"}
    stage.when(Sent("propose-adjustment", proposal, *FINANCE))
    proposed = {"adjustment": stage.outcomes[0].event["adjustment_id"]}
    stage.given(Sent("approve-adjustment", proposed, "approver", "bob"))


def _paid_early(stage: WritePath) -> None:
    """Lines pay the fees of disputes that come later, of a sale and of money in suspense."""
    lines = [
        {"line_ref": f"e_{ref}", "kind": "FEE", "processor_ref": ref, "gross": -15}
        for ref in ("d-soon", "d-later")
    ]
    file = {"processor": "stripe", "file_sha256": "ef" * 32, "lines": lines}
    stage.given(Sent("import-settlement", file, *FINANCE), card_tip(700, processor_ref="soon"))
    stage.when(purchase("small", price=998, user="careful", ref="later"))
    assert stage.outcomes[0].code == "PRICE_MISMATCH"
    stage.given(_disputed("soon", "d-soon", 300), _disputed("later", "d-later", 300))


def _stale(stage: WritePath) -> None:
    """A figure that says nothing new is ignored."""
    stage.given(card_tip(700, processor_ref="figures"))
    for ref, figure in (("figure-2", 300), ("figure-1", 200)):
        fields = {"payment_ref": "figures", "cumulative": figure, **_stripe(ref)}
        stage.when(Sent("record-refund", fields))
    assert stage.outcomes[0].code == "STALE_FIGURE"


def _told_by_files(stage: WritePath) -> None:
    """Lines that name a payment tell of fees before its dispute and before its win."""
    stage.given(card_tip(700, processor_ref="told"))
    stage.when(purchase("small", price=998, user="careful", ref="kept"))
    assert stage.outcomes[0].code == "PRICE_MISMATCH"
    stage.given(
        _file(
            "aa" * 32,
            ("CHARGEBACK", -300, "told", 15),
            ("CHARGEBACK", -300, "kept", 15),
            ("CHARGEBACK_REVERSAL", 300, "told", -15),
        ),
        _disputed("told", "d-told", 300),
        _disputed("kept", "d-kept", 300),
        _won("d-told"),
        _file("bb" * 32, ("CHARGEBACK_REVERSAL", 0, "kept", -15), ("FEE", 15, "d-kept", 0)),
    )


def _file(sha256: str, *lines: tuple[str, int, str, int]) -> Sent:
    kept = [
        {
            "line_ref": f"f_{sha256[:2]}_{nth}",
            "kind": kind,
            "gross": gross,
            "processor_ref": about,
            "fee": fee,
        }
        for nth, (kind, gross, about, fee) in enumerate(lines)
    ]
    file: dict[str, Any] = {"processor": "stripe", "file_sha256": sha256, "lines": kept}
    return Sent("import-settlement", file, *FINANCE)


def _settled(stage: WritePath) -> None:
    """Lines with dates: a chargeback with its fee, a fee, and the payout they make."""
    stage.given(card_tip(700, processor_ref="dated"), _disputed("dated", "d-dated", 300))
    dated = {"value_date": "2026-01-15"}
    lines: list[dict[str, Any]] = [
        {"line_ref": "d_1", "kind": "PAYMENT", "processor_ref": "dated", "gross": 700, **dated},
        {
            "line_ref": "d_2",
            "kind": "CHARGEBACK",
            "processor_ref": "dated",
            "gross": -300,
            "fee": 9,
        },
        {"line_ref": "d_3", "kind": "FEE", "processor_ref": "d-dated", "gross": -6, **dated},
        {"line_ref": "d_4", "kind": "PAYOUT", "gross": -385, **dated},
    ]
    file: dict[str, Any] = {"processor": "stripe", "file_sha256": "cd" * 32, "lines": lines}
    stage.given(Sent("import-settlement", file, *FINANCE))


def _disputed(payment: str, ref: str, amount: int, *, final: bool = False) -> Sent:
    fields = {"payment_ref": payment, "amount": amount, "fee": 15, "final": final}
    return Sent("open-dispute", {**fields, **_stripe(ref)})


def _won(dispute: str) -> Sent:
    fields = {"dispute": dispute, "outcome": "WON", **_stripe(f"{dispute}-won")}
    return Sent("close-dispute", fields)


def _refunded(payment: str, ref: str, amount: int) -> Sent:
    return Sent("record-refund", {"payment_ref": payment, "amount": amount, **_stripe(ref)})


def _failed(refund: str) -> Sent:
    fields = {"refund": refund, "reason_code": "CLOSED", **_stripe(f"{refund}-failed")}
    return Sent("fail-refund", fields)


def _bounced(payment: str) -> Sent:
    fields = {"payment_ref": payment, "reason_code": "RETURNED", **_stripe(f"{payment}-bounced")}
    return Sent("fail-payment", fields)


def _released(payment: str, resolution: str) -> Sent:
    return Sent("release-payment", {"payment_ref": payment, "resolution": resolution}, *FINANCE)


def _made(stage: WritePath, kind: str) -> dict[str, Any]:
    """The event of a type that the last command made."""
    (body,) = [e["body"] for e in stage.outcomes[0].json["events"] if e["type"] == kind]
    return dict(body)


def _stripe(ref: str) -> dict[str, str]:
    return {"processor": "stripe", "processor_ref": ref}
