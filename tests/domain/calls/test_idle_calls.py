"""Calls nobody touches: they end after four hours, whoever finds out and whenever."""

from datetime import timedelta

from domain.calls.call import CallEnded
from tests.domain.calls.fan_calls import Calls, ended, names, start
from tests.domain.in_memory_book import code


def test_a_call_nobody_touches_ends_after_four_hours_however_it_is_metered() -> None:
    place = Calls(100_000)
    place.start()
    events = place.at(5 * 3600).meter()
    assert ended(events) == ("IDLE", 4 * 3600)
    assert len(place.blocks) == 480

    often = Calls(100_000)
    often.start()
    for minute in range(0, 300, 7):
        if often.at(60 * minute).wallet.call is not None:
            often.meter()
    assert len(often.blocks) == 480
    assert ended(tuple(e for e in often.history if isinstance(e, CallEnded))) == ("IDLE", 14_400)


def test_a_forgotten_pause_ends_four_hours_after_it_began() -> None:
    place = Calls()
    place.start()
    place.at(3600).do("pause")
    assert len(place.at(3600 + 14_399).meter()) == 33 + 1  # as far as the wallet reaches
    assert place.wallet.call is None

    rich = Calls(100_000)
    rich.start()
    rich.at(3600).do("pause")
    assert len(rich.at(3600 + 14_399).meter()) == 120
    assert ended(rich.at(3600 + 14_400).meter()) == ("IDLE", 18_000)
    assert len(rich.blocks) == 120


def test_nobody_can_pause_resume_or_end_a_call_that_had_been_idle() -> None:
    place = Calls(100_000)
    place.start()
    place.at(14_400)
    assert code(place.decide("pause-call", call="c1")) == "CALL_NOT_ACTIVE"
    assert ended(place.do("end")) == ("IDLE", 14_400)


def test_a_call_that_had_been_idle_does_not_keep_its_fan_from_another() -> None:
    place = Calls(100_000)
    place.start()
    place.at(14_400).now -= timedelta(microseconds=1)
    assert code(place.decide("start-call", **start(call="c2"))) == "CALL_ALREADY_ACTIVE"
    place.at(14_500)
    assert code(place.decide("start-call", **start())) == "INVALID_TRANSITION"
    events = place.happens("start-call", **start(call="c2"))
    assert names(events) == ["call.ended.v1", "call.started.v1"]
    assert ended(events[:1]) == ("IDLE", 14_400)
    assert place.wallet.call == "c2"
    assert len(place.at(14_560).meter()) == 480  # what the first one owes is still paid
    assert len(place.meter("c2")) == 2
