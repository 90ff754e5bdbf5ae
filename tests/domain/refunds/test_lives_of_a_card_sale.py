"""Whatever happens to one payment by card, the outside world's figures are the books' figures."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.command import Suspended
from domain.sales.entitlement import Entitlement
from domain.sales.sale import SaleRecord
from tests.domain.card_sales import hear, sums, world
from tests.domain.in_memory_book import InMemoryBook, code
from tests.support.examples import examples

Notice = tuple[str, dict[str, Any]]

SALE: dict[str, Any] = {
    "user": "ann",
    "creator": "carl",
    "item": "photo",
    "funding": "CARD",
    "processor": "stripe",
    "processor_ref": "paid",
}
FREEZE = {"subject": "ann", "kind": "wallet", "scope": "SPEND", "reason_code": "X"}


class Life:
    """One payment of `price`, as its processor and the fan see it, and of `ours` that the platform
    pays on top; and the book that hears of it.
    """

    def __init__(self, price: int, bearer: str, vat: int, ours: int) -> None:
        self.book = world(bearer, vat={"DE": vat}, vat_elsewhere=0, price_bounds={})
        self.price, self.bearer = price, bearer
        self.ours = ours
        self.refunds: dict[str, int] = {}
        self.disputes: dict[str, tuple[int, str]] = {}
        self.asked: dict[str, int] = {}
        self.failed = False
        self.fees = self.notices = 0
        self.sale: str | None = None

    def begins(self, *, suspended: bool) -> None:
        """The card is charged; the fan may be frozen, so that the money waits."""
        price = {"price": self.price + self.ours, "platform_discount": self.ours}
        notice = {**SALE, **price, "country": "DE"}
        if suspended:
            self.book.happens("freeze", **FREEZE)
        self._hears(("unlock", notice))
        if suspended:
            self.book.happens("unfreeze", **FREEZE)
        self._learns()

    def _learns(self) -> None:
        for event in self.book.history:
            if event.type == "content.unlocked.v1":
                self.sale = event.sale_id  # type: ignore[attr-defined]

    def _hears(self, notice: Notice) -> None:
        name, fields = notice
        decision = self.book.decide(name, **fields)
        events = decision.events if isinstance(decision, Suspended) else decision
        assert isinstance(events, tuple), decision
        self.book.record(*events)

    def notice(self, name: str, **fields: Any) -> str:
        """A notice with a reference of its own."""
        self.notices += 1
        ref = f"n{self.notices}"
        self._hears((name, {**fields, "processor": "stripe", "processor_ref": ref}))
        return ref

    @property
    def told(self) -> int:
        """What refunds gave back, by what the processor says."""
        return sum(self.refunds.values())

    def standing(self, *states: str) -> int:
        """The amount of disputes in these states."""
        return sum(amount for amount, state in self.disputes.values() if state in states)

    def out(self) -> int:
        """What has gone back of the price, if not more."""
        back = self.told + self.standing("LOST")
        return self.price if self.failed else back

    def asks(self, amount: int) -> None:
        """We pay by command never more than what is left of the money."""
        if self.sale is None:
            return
        asked = {"sale": self.sale, "amount": amount, "reason_code": "ASKED"}
        decision = self.book.decide("refund", **asked)
        if self.standing("OPEN"):
            assert code(decision) == "DISPUTE_OPEN"
            return
        left = max(0, self.price - self.out() - sum(self.asked.values()))
        if amount > left:
            assert code(decision) == "REFUND_EXCEEDS_REMAINING"
            assert decision.details["remaining"] == left  # type: ignore[union-attr]
            return
        assert isinstance(decision, tuple)
        (requested,) = self.book.record(*decision)
        self.asked[requested.refund_id] = amount  # type: ignore[attr-defined]

    def refunds_by(self, amount: int) -> None:
        """The processor refunds, and thereby confirms what was asked for."""
        self.refunds[self.notice("record-refund", payment_ref="paid", amount=amount)] = amount
        self._in_flight()

    def _in_flight(self) -> None:
        record = self.book.states[f"sale:{self.sale}"]
        assert isinstance(record, SaleRecord)
        self.asked = {one.refund: one.amount for one in record.in_flight}

    def refund_fails(self, nth: int) -> None:
        """One that was told of has failed."""
        if self.refunds:
            ref = sorted(self.refunds)[nth % len(self.refunds)]
            self.notice("fail-refund", refund=ref, reason_code="CLOSED")
            del self.refunds[ref]
            self._in_flight()

    def disputed(self, amount: int, *, final: bool) -> None:
        """The bank takes it back, with a fee."""
        more = {"final": True} if final else {}
        ref = self.notice("open-dispute", payment_ref="paid", amount=amount, fee=15, **more)
        self.disputes[ref] = amount, "LOST" if final else "OPEN"
        self.fees += 15

    def closed(self, nth: int, outcome: str) -> None:
        """The bank has decided; a win is final."""
        live = [ref for ref, (_, state) in self.disputes.items() if state != "WON"]
        if live:
            ref = live[nth % len(live)]
            self.notice("close-dispute", dispute=ref, outcome=outcome)
            self.disputes[ref] = self.disputes[ref][0], outcome

    def fails(self) -> None:
        """The bank debit bounces."""
        self.notice("fail-payment", payment_ref="paid", reason_code="RETURNED")
        self.failed, self.asked = True, {}

    def applied(self) -> None:
        """A person applies what waits in suspense."""
        if self.sale is None:
            fields = {"payment_ref": "paid", "resolution": "APPLY"}
            self.book.happens("release-payment", "fay", **fields)
            self._learns()

    def agrees(self) -> None:
        """Processor, fan, creator and the books say the same."""
        found = sums(self.book)
        price, told, lost, opened = self.price, self.told, self.standing("LOST"), 0
        if self.sale is None:
            lost += self.standing("OPEN")
        else:
            opened = self.standing("OPEN")
        borne = min(told, price)
        bounced = max(0, price - borne - lost) if self.failed else 0
        assert found.get("psp.stripe", 0) == price - told - lost - opened - bounced - self.fees
        assert found.get("exp.dispute", 0) == self.fees
        assert found.get("disputed", 0) == opened
        beyond = max(0, told - price)
        excess = max(0, borne + lost - price)
        if self.sale is None:
            left = price - borne - min(price - borne, lost) - bounced
            assert -found.get("suspense", 0) == left - beyond
            assert found.get("exp.baddebt", 0) == excess
            return
        assert found.get("suspense", 0) == beyond
        back = min(price, borne + lost + bounced)
        undone = back * (price + self.ours) // price - back
        assert found.get("exp.promo", 0) == self.ours - undone
        if self.bearer == "CREATOR_PROPORTIONAL":
            assert found.get("exp.baddebt", 0) == excess
        entitled = self.book.states["entitlement:ann:photo"] != Entitlement()
        assert entitled == (borne + lost + bounced < price)
        if borne + lost + bounced >= price and not opened:
            asked = {"sale": self.sale, "amount": 1, "reason_code": "ASKED"}
            refusal = self.book.decide("refund", **asked)
            assert refusal.details["remaining"] == 0  # type: ignore[union-attr]
            if self.bearer == "CREATOR_PROPORTIONAL":
                assert found.get("cr.carl.available", 0) == found.get("rev.commission", 0) == 0
                assert found.get("vat.DE", 0) == 0

    def worked_off(self) -> None:
        """Somebody works off all that waits: suspense is zero."""
        for key in list(self.book.states):
            if key.startswith("payment:"):
                while self.book.states[key].waiting:  # type: ignore[attr-defined]
                    fields = {"payment_ref": key.removeprefix("payment:"), "resolution": "RETURN"}
                    self.book.happens("release-payment", "fay", **fields)
        assert not sums(self.book).get("suspense", 0)


amounts = st.integers(1, 1_300)
numbers = st.integers(0, 5)
coupons = st.sampled_from([0, 0, 1, 99, 333, 1_500])
steps = st.one_of(
    st.tuples(st.just("asks"), amounts),
    st.tuples(st.just("refunds_by"), amounts),
    st.tuples(st.just("refund_fails"), numbers),
    st.tuples(st.just("disputed"), amounts, st.booleans()),
    st.tuples(st.just("closed"), numbers, st.sampled_from(["WON", "LOST"])),
    st.tuples(st.just("fails")),
    st.tuples(st.just("applied")),
)
bearers = st.sampled_from(["CREATOR_PROPORTIONAL", "PLATFORM"])


@examples(300)
@given(
    price=st.integers(1, 1_200) | st.just(1_000),
    bearer=bearers,
    vat=st.sampled_from([0, 1_900, 2_500]),
    ours=coupons,
    suspended=st.booleans(),
    course=st.lists(steps, max_size=9),
)
def test_money_back_never_exceeds_money_in_and_what_does_is_told_to_the_cent(
    price: int,
    bearer: str,
    vat: int,
    ours: int,
    suspended: bool,
    course: list[tuple[Any, ...]],
) -> None:
    life = Life(price, bearer, vat, ours)
    life.begins(suspended=suspended)
    life.agrees()
    for name, *arguments in course:
        if name == "disputed":
            life.disputed(arguments[0], final=arguments[1])
        else:
            getattr(life, name)(*arguments)
        life.agrees()
    life.worked_off()


def told(name: str, ref: str, **fields: Any) -> Notice:
    """A notice."""
    return name, {**fields, "processor": "stripe", "processor_ref": ref}


def of_refunds(refunds: list[tuple[int, bool]]) -> list[Notice]:
    """Refunds, some of which fail."""
    notices = []
    for nth, (amount, fails) in enumerate(refunds):
        notices.append(told("record-refund", f"r{nth}", payment_ref="paid", amount=amount))
        if fails:
            notices.append(told("fail-refund", f"f{nth}", refund=f"r{nth}", reason_code="CLOSED"))
    return notices


def of_disputes(disputes: list[tuple[int, str]]) -> list[Notice]:
    """Disputes and their ends."""
    notices = []
    for nth, (amount, outcome) in enumerate(disputes):
        fields = {"payment_ref": "paid", "amount": amount, "fee": 15}
        notices.append(told("open-dispute", f"d{nth}", **fields))
        if outcome:
            end = {"dispute": f"d{nth}", "outcome": outcome}
            notices.append(told("close-dispute", f"e{nth}", **end))
    return notices


def ends_of(bearer: str, notices: list[Notice], *, suspended: bool) -> tuple[Any, Any]:
    """Balances and access after these notices in this order; what was suspended is applied."""
    place: InMemoryBook = world(bearer, vat={"DE": 1_900}, vat_elsewhere=0, price_bounds={})
    if suspended:
        place.happens("freeze", **FREEZE)
    hear(place, notices)
    if suspended:
        place.happens("unfreeze", **FREEZE)
        place.happens("release-payment", "fay", payment_ref="paid", resolution="APPLY")
    return sums(place), place.states["entitlement:ann:photo"] != Entitlement()


@examples(300)
@given(st.data())
def test_equal_sets_of_notices_end_alike_in_any_order_suspended_or_not(data: st.DataObject) -> None:
    draw = data.draw
    bearer = draw(bearers)
    refunds = draw(st.lists(st.tuples(amounts, st.booleans()), max_size=3))
    outcomes = st.sampled_from(["", "WON", "LOST"])
    disputes = draw(st.lists(st.tuples(amounts, outcomes), max_size=2))
    ours = draw(coupons)
    price = {"price": 1_000 + ours, "platform_discount": ours}
    sale = ("unlock", {**SALE, **price, "country": "DE"})
    notices = [sale, *of_refunds(refunds), *of_disputes(disputes)]
    if draw(st.booleans()):
        notices.append(told("fail-payment", "b", payment_ref="paid", reason_code="RETURNED"))
    expected = ends_of(bearer, notices, suspended=False)
    assert ends_of(bearer, draw(st.permutations(notices)), suspended=False) == expected
    assert ends_of(bearer, draw(st.permutations(notices)), suspended=True) == expected
