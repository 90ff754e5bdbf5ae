"""The accounts' balances, all of them or one, at any moment."""

from enum import StrEnum
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.parameters import AtMoment
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.accounts import AccountType
from projections.queries import balance, trial_balance, trial_balance_by_class

AccountName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,255}$")]
AssetName = Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_READERS = Readers("the books' balances")


class By(StrEnum):
    """What a row of the trial balance stands for."""

    ACCOUNT = "account"
    CLASS = "class"


_By = Annotated[By, Query(description="a row for each account, or for each class of accounts")]
_OfAsset = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="only of this asset")
]
_Nonzero = Annotated[bool, Query(description="without balances of zero")]


class TrialBalanceRow(BaseModel):
    """An account's or a class's net balance on its side; by class, `account` is the class."""

    account: str
    class_: str = Field(alias="class")
    number: int | None
    name: str
    type: AccountType | None
    asset: str
    debit: int
    credit: int


class TrialBalanceTotal(BaseModel):
    """The sums of an asset's two sides, which are equal."""

    asset: str
    debit: int
    credit: int


class TrialBalance(AsOf):
    """Every account, or every class."""

    rows: list[TrialBalanceRow]
    totals: list[TrialBalanceTotal]


class AccountBalance(AsOf):
    """One account in one asset, debit positive."""

    account: str
    asset: str
    balance: int


def read_trial_balance(
    asked: Asked,
    moment: AtMoment,
    by: _By = By.ACCOUNT,
    asset: _OfAsset = None,
    nonzero: _Nonzero = False,
) -> Answered:
    """Each account's or class's net balance on its side, and totals by asset."""
    until = asked.until(moment)
    ask = trial_balance_by_class if by is By.CLASS else trial_balance
    answered = ask(asked.connection, position=until, effective_on=moment.effective_on)
    for part in ("rows", "totals"):
        answered[part] = [row for row in answered[part] if asset in {None, row["asset"]}]
    if nonzero:
        answered["rows"] = [row for row in answered["rows"] if row["debit"] or row["credit"]]
    return not_before(until or 0, answered)


def read_balance(
    asked: Asked, account: AccountName, asset: AssetName, moment: AtMoment
) -> Answered:
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
