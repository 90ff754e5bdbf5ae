"""Rules 6.1 to 6.3 over random lives of a wallet with two purchases.

At every step each processor's account is what that processor would say, and once all is undone
nothing is left of it anywhere.
"""

from hypothesis import given, note
from hypothesis import strategies as st

from tests.domain.purchases.wallet_lives import (
    BEARERS,
    EVER,
    FUNDINGS,
    MORE,
    Step,
    WalletLife,
    lives,
    names,
)
from tests.support.examples import examples


@examples(400)
@given(
    funding=st.sampled_from(sorted(FUNDINGS)),
    bearer=st.sampled_from(BEARERS),
    suspended=st.sets(names) | st.just(set()),
    life=lives(*EVER, *MORE),
)
def test_6_1_two_purchases_in_one_wallet_and_all_is_undone(
    funding: str, bearer: str, suspended: set[str], life: list[Step]
) -> None:
    note(f"{locals()}")
    found = WalletLife(funding, bearer, suspended)
    found.is_right()
    for step in life:
        found.does(step)
    found.undo()
    if not any(one.taken for one in found.bought.values()):
        found.nothing_is_left()


@examples(200)
@given(
    funding=st.sampled_from(sorted(FUNDINGS)),
    bearer=st.sampled_from(BEARERS),
    suspended=st.sets(names) | st.just(set()),
    life=lives(*EVER, *MORE, "bounce"),
)
def test_6_2_what_processors_say_of_two_purchases_that_may_bounce(
    funding: str, bearer: str, suspended: set[str], life: list[Step]
) -> None:
    note(f"{locals()}")
    found = WalletLife(funding, bearer, suspended)
    for step in life:
        found.does(step)
