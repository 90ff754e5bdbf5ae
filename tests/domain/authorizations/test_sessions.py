"""Sessions that start, stand for longer, are shared by many, or do not take place."""

from datetime import timedelta

import pytest

from domain.agenda import AgendaEvent
from domain.authorizations.authorization import PaymentAuthorized, PaymentCaptured
from domain.authorizations.session import AuthorizationExtended, SessionStarted
from tests.domain.authorizations.booked_sessions import Sessions
from tests.domain.in_memory_book import NOW, code


def until(place: Sessions, hours: float) -> str:
    return f"{place.now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S.%fZ}"


@pytest.mark.parametrize(("waited", "hours"), [(0, 4), (23, 4), (24, 4), (5, 1)])
def test_6_30_a_session_that_started_may_run_for_its_own_time(waited: int, hours: int) -> None:
    for over, expected in ((0, ""), (1, "HOLD_NOT_OPEN")):
        place = Sessions(session_hours=hours)
        payment = place.authorize()
        place.later(hours=waited)
        (event,) = place.happens("start-session", payment=payment)
        assert isinstance(event, SessionStarted)
        assert event.expires_at - event.at == timedelta(hours=hours)
        place.later(hours=hours, microseconds=over)
        assert code(place.decide("capture", payment=payment, amount=1)) == expected


def test_6_30_before_its_start_it_waits_for_a_day() -> None:
    place = Sessions()
    payment = place.authorize()
    place.later(hours=24, microseconds=1)
    assert code(place.decide("start-session", payment=payment)) == "HOLD_NOT_OPEN"
    assert code(place.decide("start-session", payment="none")) == "UNKNOWN_AUTHORIZATION"


def test_6_30_it_starts_once_and_not_after_its_end() -> None:
    place = Sessions()
    payment = place.authorize()
    place.happens("start-session", payment=payment)
    assert code(place.decide("start-session", payment=payment)) == "INVALID_TRANSITION"
    place.capture(payment, 100)
    assert code(place.decide("start-session", payment=payment)) == "HOLD_NOT_OPEN"


def test_6_30_the_agenda_voids_it_when_the_last_limit_is_over() -> None:
    place = Sessions()
    payment = place.authorize()
    place.happens("start-session", payment=payment)
    fields = {"payment": payment, "expires_at": until(place, 30)}
    place.happens("extend-authorization", **fields)
    dues = []
    for event in place.history:
        if isinstance(event, PaymentAuthorized | SessionStarted | AuthorizationExtended):
            assert isinstance(event, AgendaEvent)
            ((item, due),) = event.agenda_items()
            assert due is not None and item == f"authorization:{payment}"
            dues.append((due.at - NOW, due.fields["reason_code"]))
    tick = timedelta(microseconds=1)
    assert dues == [
        (timedelta(hours=24) + tick, "CANCELLED"),
        (timedelta(hours=4) + tick, "ABANDONED"),
        (timedelta(hours=30) + tick, "ABANDONED"),
    ]
    place.later(hours=30)
    assert code(place.decide("capture", payment=payment, amount=1)) == ""
    place.later(microseconds=1)
    assert code(place.decide("capture", payment=payment, amount=1)) == "HOLD_NOT_OPEN"
    place.happens("void", payment=payment, reason_code="ABANDONED")


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(25, ""), (24, "INVALID_TRANSITION"), (1, "INVALID_TRANSITION"), (-1, "OFFER_EXPIRED")],
)
def test_6_30_an_extension_is_later_than_the_end_before(hours: int, expected: str) -> None:
    place = Sessions()
    payment = place.authorize()
    fields = {"payment": payment, "expires_at": until(place, hours)}
    assert code(place.decide("extend-authorization", **fields)) == expected


def test_6_30_what_has_ended_or_has_no_end_is_not_extended() -> None:
    place = Sessions()
    payment = place.authorize()
    place.later(hours=25)
    fields = {"payment": payment, "expires_at": until(place, 50)}
    assert code(place.decide("extend-authorization", **fields)) == "HOLD_NOT_OPEN"
    unknown = {**fields, "payment": "none"}
    assert code(place.decide("extend-authorization", **unknown)) == "UNKNOWN_AUTHORIZATION"
    endless = Sessions(hold_expiry_hours=None)
    fields["payment"] = endless.authorize()
    assert code(endless.decide("extend-authorization", **fields)) == "INVALID_TRANSITION"


def test_6_30_a_waiting_one_that_is_extended_still_waits() -> None:
    place = Sessions()
    payment = place.authorize()
    fields = {"payment": payment, "expires_at": until(place, 48)}
    (event,) = place.happens("extend-authorization", **fields)
    assert isinstance(event, AuthorizationExtended)
    assert event.expiry_reason == "CANCELLED"
    place.later(hours=40)
    place.happens("start-session", payment=payment)
    place.later(hours=4)
    place.capture(payment, 100)


def test_6_30_a_group_session_has_sixteen_authorisations_each_captured_by_itself() -> None:
    place = Sessions()
    group = [place.authorize(1_000 + n, session="g", user=f"u{n}") for n in range(16)]
    more = place.fields(session="g", user="late")
    assert code(place.decide("authorize", **more)) == "INVALID_TRANSITION"
    assert code(place.decide("authorize", **place.fields(session="h", user="late"))) == ""
    assert place.capture(group[0], 1_000).buyer == "u0"
    assert code(place.decide("authorize", **more)) == "INVALID_TRANSITION"
    place.happens("void", payment=group[1], reason_code="CANCELLED")
    place.happens("authorize", **more)
    for n in range(2, 16):
        sale = place.capture(group[n], 900)
        assert (sale.buyer, sale.creator_share, sale.voided) == (f"u{n}", 630, 100 + n)


@pytest.mark.parametrize(
    ("amount", "creator", "platform"), [(2_500, 1_750, 750), (1, 1, 0), (4_999, 3_499, 1_500)]
)
def test_6_30_a_fee_for_cancelling_is_a_capture_that_says_so(
    amount: int, creator: int, platform: int
) -> None:
    place = Sessions()
    payment = place.authorize()
    fields = {"payment": payment, "amount": amount, "reason_code": "CANCELLED_LATE"}
    (sale,) = place.happens("capture", **fields)
    assert isinstance(sale, PaymentCaptured)
    assert (sale.reason, sale.creator_share, sale.platform_share) == (
        "CANCELLED_LATE",
        creator,
        platform,
    )
    assert place.capture(place.authorize(), 100).reason is None
