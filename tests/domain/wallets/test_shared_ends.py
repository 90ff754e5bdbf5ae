"""Grants with an end each share the lots of their periods, where the policy says so."""

from datetime import datetime, timedelta

import pytest

from domain.wallets.wallet import LOTS_MAX, Wallet
from tests.domain.in_memory_book import InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK


@pytest.mark.parametrize(("granularity", "days"), [("DAY", 100), ("WEEK", 730), ("MONTH", 730)])
def test_bonuses_with_an_end_each_share_the_lots_of_their_periods(
    granularity: str, days: int
) -> None:
    """Two a day that last for a year: nothing is refused, and no end is before its time."""
    book = InMemoryBook({**MICRO_UNLOCK, "promo_expiry_granularity": granularity})
    ends: list[datetime] = []
    for _ in range(days):
        for seconds in (0, 7):
            end = book.now + timedelta(days=365, seconds=seconds)
            more = {
                "tokens": 1,
                "reason_code": "DAILY",
                "expires_at": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
            (granted,) = book.happens("grant-promo", user="ann", **more)
            ends.append(granted.expires_at)  # type: ignore[attr-defined]
            assert end <= ends[-1] <= end + timedelta(days=31)
        book.later(days=1)
        book.happens("expire-promo", user="ann")
    wallet = book.states["wallet:ann"]
    assert isinstance(wallet, Wallet)
    good = sum(book.now < end for end in ends)
    assert wallet.spendable(book.now) == good
    assert len(wallet.lots) < LOTS_MAX
    tip = {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": good}
    sale, *_ = book.happens("send-tip", **tip)
    assert sum(use.tokens for use in sale.lots) == good  # type: ignore[attr-defined]
