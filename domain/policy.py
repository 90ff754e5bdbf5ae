"""The policy document: what makes one ledger serve five kinds of platform.

Mandatory keys have no silent defaults: a book without a stated revenue share, payout minimum or
dispute bearer is refused. Events carry the version they were decided under, and every amount
they need, so replay never reads a policy again.
"""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain.fields import (
    Amount,
    Bps,
    Code,
    Country,
    Currency,
    Funding,
    FundingField,
    Harmless,
    Id,
    PositiveAmount,
)
from domain.money import AMOUNT_MAX

Product = Literal["unlock", "message", "ticket", "tip", "call", "subscription", "session", "hold"]
PRODUCTS: tuple[Product, ...] = get_args(Product)
#: A product, or one class of its items: `unlock:micro`.
ProductClass = Annotated[
    str,
    StringConstraints(
        pattern=rf"^({'|'.join(PRODUCTS)}|(unlock|message|ticket):[A-Za-z0-9_-]{{1,64}})$"
    ),
]
#: What creators sell for tokens.
TOKEN_SALES = ("unlock", "message", "ticket", "tip", "call")
Positive = Annotated[int, Field(gt=0, le=10_000)]
TimeZone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]
RefundReasons = Annotated[tuple[Code, ...], Field(strict=False, min_length=1, max_length=100)]
Months = Annotated[int, Field(gt=0, le=1_200)]


#: Ends in this year are left as they are: there is no next period.
LAST_YEAR = 9_999

#: The country of a buyer of whom no country is known.
NOWHERE = "XX"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RevenueShare(_Part):
    """The creator's part in bps: by tier where one is given, else by product, else default."""

    default: Bps
    unlock: Bps | None = None
    message: Bps | None = None
    ticket: Bps | None = None
    tip: Bps | None = None
    call: Bps | None = None
    subscription: Bps | None = None
    session: Bps | None = None
    hold: Bps | None = None
    tiers: dict[Id, Bps] = {}

    def of(self, product: str, tier: str | None = None) -> int:
        """The creator's bps for a sale of `product`, at `tier` where the sale names one."""
        if tier is not None:
            return self.tiers[tier]
        bps: int | None = getattr(self, product)
        return self.default if bps is None else bps

    def highest(self) -> int:
        """The largest creator share any sale can get."""
        return max([self.default, *(self.of(p) for p in PRODUCTS), *self.tiers.values()])


class Package(_Part):
    """Tokens for sale: `tokens` plus `bonus` for `price` minor units, VAT included."""

    tokens: PositiveAmount
    bonus: Amount = 0
    price: PositiveAmount


class Bounds(_Part):
    """Smallest and largest price of a product in minor units, before discount."""

    min: Amount
    max: Amount


class RiskRule(_Part):
    """From how many lost disputes, or from which sum of them, a buyer may not spend any more."""

    freeze_after_disputes: Positive | None = None
    freeze_after_amount: PositiveAmount | None = None


class Tier(_Part):
    """One step of the spend ladder: `min` minor units within the window."""

    tier: Id
    min: Amount


class SecondPerson(_Part):
    """What two people do: one sends the command, another approves it; null: one person does."""

    #: Money that leaves suspense, in minor units.
    release_payment_above: Amount | None = None
    #: The difference, or the money in suspense, that a break is about, in minor units.
    resolve_break_above: Amount | None = None
    #: Promotional tokens that one sender grants on one day of the book.
    grant_per_day: Amount | None = None
    close_period: bool | None = None
    #: Lifting a freeze that finance has set.
    lift_finance_freeze: bool | None = None


class SaleTerms(msgspec.Struct, frozen=True, gc=False):
    """What a policy says of the sale of one product, looked up once for all its sales.

    `fundings` is empty where it is not offered. `low` and `high` bound its price before discount
    in minor units; `share_bps` is the creator's.
    """

    fundings: tuple[str, ...]
    low: int
    high: int
    share_bps: int
    unit_value: int
    rejects_frozen: bool
    maturity_days: int
    refund_window_days: int | None


class Policy(_Part):
    """One platform's rules. Amounts in minor units, shares in bps."""

    profile: Id
    currency: Currency
    time_zone: TimeZone
    #: The month in which fiscal years begin; each is named after the year in which it ends.
    fiscal_year_start: Annotated[int, Field(ge=1, le=12)] = 1
    funding: Annotated[tuple[FundingField, ...], Field(strict=False)]
    unit_value: PositiveAmount | None = None
    revenue_share: RevenueShare
    packages: dict[Id, Package] = {}
    bonus_class: Literal["PAID", "PROMO"] = "PROMO"
    products_enabled: Annotated[tuple[Product, ...], Field(strict=False)]
    #: Whether subscriptions without a creator, to the platform itself, are sold.
    platform_subscriptions: bool = False
    price_bounds: dict[ProductClass, Bounds] = {}
    tip_minimum: Amount | None = None
    payout_minimum: Amount | None
    instant_fee_bps: Bps | None = None
    withholding_bps: Bps = 0
    payout_schedule: Literal["DAILY", "WEEKLY", "MONTHLY"] | None = None
    dispute_bearer: Literal["CREATOR_PROPORTIONAL", "PLATFORM"]
    dispute_fee_refundable: bool = False
    risk: RiskRule | None = None
    frozen_creator_rule: Literal["REJECT", "ESCROW"] = "REJECT"
    maturity_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    refund_window_days: Positive | None = None
    #: The reasons for which refunds may be asked for; null: any.
    refund_reasons: RefundReasons | None = None
    vat: dict[Country, Bps] = {}
    #: The rate of every country that `vat` does not name, and of buyers whose country is not known.
    vat_elsewhere: Bps | None = None
    default_country: Country | None = None
    block_seconds: Positive = 30
    final_block: Literal["FREE", "CHARGED"] = "FREE"
    hold_expiry_hours: Positive | None = None
    session_hours: Positive = 4
    promo_expiry_days: Positive | None = None
    promo_expiry_granularity: Literal["DAY", "WEEK", "MONTH"] | None = Field(
        default=None,
        description="Grants end with the day, week or month of `time_zone` in which their end "
        "falls, so that grants with ends of their own share lots; null: at their end.",
    )
    breakage_months: Months | None = None
    tier_ladder: Annotated[tuple[Tier, ...], Field(strict=False)] = ()
    tier_window_days: Positive = 30
    second_person: SecondPerson = SecondPerson()
    limits: dict[Id, Harmless] = Field(
        default={},
        description="Kept for whoever stands before the service; the service counts no requests.",
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """What is wrong between keys: (JSON pointer, message) each."""
        if self.unit_value is None and self._values_tokens():
            yield "/unit_value", "is mandatory where tokens pay creators or come as PROMO bonus"
        if (
            "tip" in self.products_enabled
            and self.tip_minimum is None
            and self.revenue_share.of("tip") < 10_000
        ):
            yield "/tip_minimum", "is mandatory where tips are shared with the platform"
        for product, bounds in self.price_bounds.items():
            if bounds.min > bounds.max:
                yield f"/price_bounds/{product}", "min is above max"
        floors = [step.min for step in self.tier_ladder]
        if floors != sorted(set(floors), reverse=True):
            yield "/tier_ladder", "must fall from the highest min to the lowest, each once"
        named = self.default_country
        if named is not None and named not in self.vat and self.vat_elsewhere is None:
            yield "/default_country", "has no rate in vat"
        if self.promo_expiry_granularity is not None and self._zone is None:
            yield "/time_zone", "is no IANA time zone"
        if Funding.TOKEN not in self.funding:
            yield from self._lacking_tokens()

    def _lacking_tokens(self) -> Iterable[tuple[str, str]]:
        """What can never work where nothing is paid in tokens."""
        for nth, product in enumerate(self.products_enabled):
            if product in ("hold", "call"):
                yield f"/products_enabled/{nth}", f"{product} needs TOKEN among funding"
        for key in ("packages", "promo_expiry_days", "promo_expiry_granularity", "breakage_months"):
            if getattr(self, key):
                yield f"/{key}", "needs TOKEN among funding"

    def _values_tokens(self) -> bool:
        """Whether anybody needs to know what a token is worth: creators get a share of it, price
        bounds are tested on it, and refunds deduct bonus tokens at it. Holds alone need none.
        """
        if Funding.TOKEN not in self.funding:
            return False
        promo = self.bonus_class == "PROMO" and any(p.bonus for p in self.packages.values())
        return promo or any(product in TOKEN_SALES for product in self.products_enabled)

    @cached_property
    def sales(self) -> dict[str, SaleTerms]:
        """The terms of sale, by product, and by class of item where that has bounds of its own."""
        return {name: self._terms(name) for name in (*PRODUCTS, *self.price_bounds)}

    def _terms(self, name: str) -> SaleTerms:
        bounds, product = self.price_bounds.get(name), name.partition(":")[0]
        low, high = (0, AMOUNT_MAX) if bounds is None else (bounds.min, bounds.max)
        if product == "tip" and self.tip_minimum is not None:
            low = max(low, self.tip_minimum)
        return SaleTerms(
            fundings=self.funding if product in self.products_enabled else (),
            low=low,
            high=high,
            share_bps=self.revenue_share.of(product),
            unit_value=self.unit_value or 0,
            rejects_frozen=self.frozen_creator_rule == "REJECT",
            maturity_days=self.maturity_days,
            refund_window_days=self.refund_window_days,
        )

    def tax_country(self, country: str | None) -> str | None:
        """Where a buyer in `country` is taxed: there, else in the default country, else, where
        every country has a rate, in `XX`.
        """
        return country or self.default_country or (None if self.vat_elsewhere is None else NOWHERE)

    def knows_tax(self, country: str | None) -> bool:
        """Whether it says how a buyer in `country` is taxed; without any rate, nobody is."""
        if self.vat_elsewhere is not None or not self.vat:
            return True
        return (country or self.default_country) in self.vat

    def vat_bps(self, country: str | None) -> int:
        """The inclusive VAT rate for a buyer in `country`, or in the default country."""
        place = country or self.default_country
        elsewhere = self.vat_elsewhere or 0
        return elsewhere if place is None else self.vat.get(place, elsewhere)

    def promo_expiry(self, granted_at: datetime) -> datetime | None:
        """When promotional tokens granted at `granted_at` end, if the policy ends them."""
        if self.promo_expiry_days is None:
            return None
        return granted_at + timedelta(days=self.promo_expiry_days)

    def granted_until(self, end: datetime) -> datetime:
        """When a grant that would end at `end` ends: never before, and all of a period at once."""
        zone = self._zone
        if self.promo_expiry_granularity is None or zone is None or end.year >= LAST_YEAR:
            return end
        last = (end - timedelta(microseconds=1)).astimezone(zone).date()
        match self.promo_expiry_granularity:
            case "DAY":
                days = 1
            case "WEEK":
                days = 7 - last.weekday()
            case "MONTH":
                days = monthrange(last.year, last.month)[1] - last.day + 1
        return datetime.combine(last + timedelta(days=days), time.min, zone).astimezone(UTC)

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        """The time zone, if there is one of this name."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None

    def payout_run(self, today: date) -> date | None:
        """The day of the payout run that `today` belongs to, if there are any: every day, Mondays
        or the first of the month.
        """
        match self.payout_schedule:
            case "DAILY":
                return today
            case "WEEKLY":
                return today - timedelta(days=today.weekday())
            case "MONTHLY":
                return today.replace(day=1)
        return None

    def lapse(self, bought_at: datetime) -> datetime | None:
        """When tokens bought at `bought_at` lapse, if the policy lets them: calendar months
        later, at the same time of day, on the last day of a month too short for the same day.
        """
        if self.breakage_months is None:
            return None
        years, month = divmod(bought_at.month - 1 + self.breakage_months, 12)
        year = bought_at.year + years
        day = min(bought_at.day, monthrange(year, month + 1)[1])
        return bought_at.replace(year=year, month=month + 1, day=day)


class PolicyVersion(msgspec.Struct, frozen=True):
    """A published policy and since when it is in force."""

    version: int
    effective_from: datetime
    policy: Policy


def in_force(versions: Sequence[PolicyVersion], instant: datetime) -> PolicyVersion | None:
    """The policy effective at `instant`: of those begun, the one published last."""
    for version in reversed(versions):
        if version.effective_from <= instant:
            return version
    return None


def refund_end(sold_at: datetime, window_days: int | None) -> datetime | None:
    """Until when a sale made at `sold_at` may be refunded on request, if that ever ends."""
    return None if window_days is None else sold_at + timedelta(days=window_days)


#: The days of maturity up to which earnings mature on the hour.
HOURLY_DAYS = 31


def maturity(sold_at: datetime, days: int, now: datetime | None = None) -> datetime | None:
    """When the earnings of a sale mature, if not at once: `days` later, at the next full hour.

    Full hours keep what a creator's state holds of unmatured earnings within days × 24 sums,
    however many sales there are; of more than HOURLY_DAYS days, the next full day of UTC keeps it
    within one sum a day. A late fact may be mature already at `now`.
    """
    if not days:
        return None
    exact = sold_at + timedelta(days=days)
    start, step = exact.replace(minute=0, second=0, microsecond=0), timedelta(hours=1)
    if days > HOURLY_DAYS:
        start, step = start.replace(hour=0), timedelta(days=1)
    matures_at = start if start == exact else start + step
    return None if now is not None and matures_at <= now else matures_at
