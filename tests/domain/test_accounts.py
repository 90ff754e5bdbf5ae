"""The chart of accounts knows every account that anything posts to."""

import json
from pathlib import Path

import pytest

from domain import accounts
from domain.accounts import CHART, CLASSES, AccountType, class_of

GOLDEN = Path(__file__).parents[1] / "golden"


def test_every_stored_example_posts_to_accounts_of_the_chart() -> None:
    posted = set()
    for file in GOLDEN.rglob("*.json"):
        text = file.read_text()
        if '"postings"' in text:
            posted |= {leg[0] for leg in json.loads(text).get("postings", [])}
    assert len(posted) > 20
    assert not {account for account in posted if class_of(account) not in CLASSES}


def test_numbers_rise_and_say_the_type() -> None:
    numbers = [each.number for each in CHART]
    assert numbers == sorted(set(numbers))
    thousands = {1: AccountType.ASSET, 2: AccountType.LIABILITY}
    thousands |= {4: AccountType.INCOME, 5: AccountType.EXPENSE}
    for each in CHART:
        assert each.type is thousands.get(each.number // 1_000, each.type)


@pytest.mark.parametrize(
    ("account", "pattern"),
    [
        (accounts.BANK, "bank"),
        (accounts.wallet_free("ann"), "w.*.free"),
        (accounts.wallet_held("free"), "w.*.held"),
        (accounts.creator("pending", "available"), "cr.*.available"),
        (accounts.processor("stripe"), "psp.*"),
        (accounts.fan_debt("ann"), "fan_debt.*"),
        (accounts.vat("DE"), "vat.*"),
        ("strange.one", "strange.one"),
    ],
)
def test_the_class_of_an_account(account: str, pattern: str) -> None:
    assert class_of(account) == pattern
