"""The accounts' balances, all of them or one, at any moment."""

from enum import StrEnum
from typing import Annotated, NamedTuple

from fastapi import Path, Query
from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.listing import LIMIT_MAX, After, cursor_text, read_cursor
from api.http.queries.parameters import AtMoment
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.accounts import AccountType
from projections.queries import balance, trial_balance, trial_balance_by_class

AccountName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,255}$")]
AssetName = Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_READERS = Readers("the books' balances")
ROWS_MAX = 10_000
_Limit = Annotated[int | None, Query(ge=1, le=LIMIT_MAX)]


class By(StrEnum):
    """What a row of the trial balance stands for."""

    ACCOUNT = "account"
    CLASS = "class"


_By = Annotated[By, Query(description="a row for each account, or for each class of accounts")]
_OfAsset = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="only of this asset")
]
_Nonzero = Annotated[bool, Query(description="without balances of zero")]


class Place(NamedTuple):
    """Where a trial balance goes on: as known at a position, after an account in an asset, with
    the sums of both sides so far."""

    position: int
    after: tuple[str, str]
    sums: dict[str, tuple[int, int]]


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
    """The sums of an asset's two sides."""

    asset: str
    debit: int
    credit: int


class TrialBalance(AsOf):
    """Every account, or every class. `totals` are those of all rows up to the end of this page: at
    the end of the list both sides are equal."""

    rows: list[TrialBalanceRow]
    totals: list[TrialBalanceTotal]
    next_cursor: str | None


class AccountBalance(AsOf):
    """One account in one asset, debit positive."""

    account: str
    asset: str
    balance: int


def read_trial_balance(
    asked: Asked,
    moment: AtMoment,
    *,
    by: _By = By.ACCOUNT,
    asset: _OfAsset = None,
    nonzero: _Nonzero = False,
    after: After = None,
    limit: _Limit = None,
) -> Answered:
    """Each account's or class's net balance on its side, and totals by asset.

    By account in pages, by name, pinned to the position of the first: of 10,000 accounts, or of
    `limit`. A page has fewer rows where accounts of another asset or of zero are left out.
    """
    which = (asked.book.name, "trial-balance", by, asset, nonzero, moment)
    until, begun = asked.until(moment), ("", "")
    sums: dict[str, tuple[int, int]] = {}
    if after is not None:
        until, begun, sums = read_cursor(which, after, Place)
    if by is By.CLASS:
        answered = trial_balance_by_class(
            asked.connection, position=until, effective_on=moment.effective_on
        )
        place = None
    else:
        answered = trial_balance(
            asked.connection,
            position=until,
            effective_on=moment.effective_on,
            after=begun,
            limit=limit or ROWS_MAX,
        )
        place = answered.pop("place")
    for part in ("rows", "totals"):
        answered[part] = [row for row in answered[part] if asset in {None, row["asset"]}]
    if nonzero:
        answered["rows"] = [row for row in answered["rows"] if row["debit"] or row["credit"]]
    for total in answered["totals"]:
        debit, credit = sums.get(total["asset"], (0, 0))
        sums[total["asset"]] = debit + total["debit"], credit + total["credit"]
    answered["totals"] = [
        {"asset": name, "debit": debit, "credit": credit}
        for name, (debit, credit) in sorted(sums.items())
    ]
    going_on = Place(answered["as_of_position"], place, sums) if place else None
    answered["next_cursor"] = None if going_on is None else cursor_text(which, going_on)
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
