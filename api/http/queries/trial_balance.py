"""The accounts' balances, all of them or one, at any moment."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel

from api.http.queries.access import Readers
from api.http.queries.parameters import AtMoment
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from projections.queries import balance, trial_balance

_Account = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,255}$")]
_Asset = Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_READERS = Readers("the books' balances")


class TrialBalanceRow(BaseModel):
    """An account's net balance on its side."""

    account: str
    asset: str
    debit: int
    credit: int


class TrialBalanceTotal(BaseModel):
    """The sums of an asset's two sides, which are equal."""

    asset: str
    debit: int
    credit: int


class TrialBalance(AsOf):
    """Every account."""

    rows: list[TrialBalanceRow]
    totals: list[TrialBalanceTotal]


class AccountBalance(AsOf):
    """One account in one asset, debit positive."""

    account: str
    asset: str
    balance: int


def read_trial_balance(asked: Asked, moment: AtMoment) -> Answered:
    """Each account's net balance on its side, and totals by asset."""
    until = asked.until(moment)
    answered = trial_balance(asked.connection, position=until, effective_on=moment.effective_on)
    return not_before(until or 0, answered)


def read_balance(asked: Asked, account: _Account, asset: _Asset, moment: AtMoment) -> Answered:
    """Debit is positive; an account never posted to has zero."""
    until = asked.until(moment)
    answered = balance(
        asked.connection, account, asset, position=until, effective_on=moment.effective_on
    )
    return not_before(until or 0, answered)


QUESTIONS = (
    Question(
        "/trial-balance",
        "Every account's balance, now or at a moment",
        TrialBalance,
        _READERS,
        read_trial_balance,
    ),
    Question(
        "/accounts/{account}/balance",
        "One account's balance, debit positive, now or at a moment",
        AccountBalance,
        _READERS,
        read_balance,
    ),
)
