"""Rule 6.12: of what a sale cost, tax, commission and the creator's net are all there is."""

import pytest

from projections import queries
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import CREATOR, card_tip, card_unlock, policy
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.write_path import WritePath

WITH_VAT = {**MICRO_UNLOCK, "vat": {"DE": 1_900}, "vat_elsewhere": 0, "price_bounds": {}}


@pytest.mark.parametrize(
    ("price", "back", "shown"),
    [
        (11_900, 0, {"gross": 11_900, "tax": 1_900, "commission": 2_000, "net": 8_000}),
        (1_000, 0, {"gross": 1_000, "tax": 160, "commission": 168, "net": 672}),
        (11_900, 5_950, {"gross": 5_950, "tax": 950, "commission": 1_000, "net": 4_000}),
        (99, 0, {"gross": 99, "tax": 16, "commission": 17, "net": 66}),
    ],
)
def test_6_12_gross_is_tax_and_commission_and_net(
    stage: WritePath, price: int, back: int, shown: dict[str, int]
) -> None:
    stage.given(policy(WITH_VAT))
    stage.when(card_unlock(price, "photo", country="DE", processor_ref="p:1"))
    stage.given(*([gave_back(back, payment_ref="p:1")] if back else []), card_tip(500))
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        sources = queries.earnings(connection, CREATOR, "USD")["by_source"]
    (unlocked,) = (line for line in sources if line["source"] == "unlock")
    assert {name: unlocked[name] for name in shown} == shown
    (tipped,) = (line for line in sources if line["source"] == "tip")
    assert tipped["gross"] == tipped["tax"] + tipped["commission"] + tipped["net"] == 500
