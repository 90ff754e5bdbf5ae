"""Random histories on the real write path: two writers, batches, duplicates and restarts."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from ledger.postgres.database import Database
from tests.generators.commands import Drawn
from tests.generators.spending import Ref
from tests.ledger.history_machine import Histories


def test_random_histories_satisfy_the_auditor(database: Database) -> None:
    class Here(Histories):
        pass

    Here.database = database
    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=20, stateful_step_count=20, deadline=None, print_blob=True),
    )


def test_two_refunds_that_say_the_same_wait_for_one_purchase(database: Database) -> None:
    """Both are released with the purchase; the second says nothing new and is ignored."""

    def refund(nth: int) -> Drawn:
        sale = Ref(kind="payment", nth=nth, prefix="")
        told = {"processor": "stripe", "processor_ref": "ref-1", "sale": sale, "cumulative": 1}
        return ("record-refund", told, "amy")

    bought = {"processor": "stripe", "package": "small", "price": 999, "user": "ann"}
    purchase = ("record-purchase", bought | {"processor_ref": "ref-1"}, "amy")

    class Here(Histories):
        pass

    Here.database = database
    history = Here()
    history.begin(name="platform")
    history.send([refund(-2)], writer=0)
    history.send([purchase], writer=0)
    history.send([refund(-1), purchase], writer=0)
    history.teardown()


def test_a_notice_that_says_nothing_when_its_turn_comes_is_heard_then(database: Database) -> None:
    """Two losses wait for one dispute: the second is one already, whatever is told later."""
    stripe = {"processor": "stripe", "processor_ref": "next"}
    bought: Drawn = ("record-purchase", {"package": "small", "price": 999, "user": "ann"}, "amy")
    disputed: Drawn = ("open-dispute", {"payment_ref": "payment-1", "amount": 999}, "amy")

    def closed(outcome: str) -> Drawn:
        return ("close-dispute", {"dispute": "dispute-1", "outcome": outcome}, "amy")

    class Here(Histories):
        pass

    Here.database = database
    history = Here()
    history.begin(name="platform")
    for name, fields, actor in (closed("LOST"), closed("LOST"), bought, disputed, closed("WON")):
        more = {"fee": 0} if name == "open-dispute" else {}
        history.send([(name, {**fields, **stripe, **more}, actor)], writer=0)
    history.teardown()
