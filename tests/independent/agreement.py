"""Asks the service everything that the log tells, and holds it against what DuckDB makes of it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.independent.exported import ExportedLog

#: Types of events by the facts of a day, as the answer names them.
COUNTED = {
    ("calls", "started"): "call.started.v1",
    ("calls", "ended"): "call.ended.v1",
    ("subscriptions", "started"): "subscription.started.v1",
    ("subscriptions", "failed"): "subscription_period.failed.v1",
    ("subscriptions", "cancelled"): "subscription.cancelled.v1",
    ("subscriptions", "lapsed"): "subscription.lapsed.v1",
    ("sessions", "authorized"): "payment.authorized.v1",
}
AMOUNTS = {
    ("disputes", "opened"): "dispute.opened.v1",
    ("disputes", "lost"): "dispute.lost.v1",
    ("disputes", "won"): "dispute.won.v1",
    ("payouts", "requested"): "payout.requested.v1",
    ("payouts", "paid"): "payout.paid.v1",
    ("payouts", "returned"): "payout.returned.v1",
    ("refunds_reversed",): "refund.reversed.v1",
    ("payments_failed",): "sale_payment.failed.v1",
}


#: The figures of revenue that are the accounts', and how many sales there were.
INCOME = (
    "count", "commission", "margin", "usage", "fees", "breakage", "promotional", "subscriptions",
    "bad_debt", "goodwill", "processor_costs", "dispute_costs", "discount", "platform_discount",
)  # fmt: skip
LIFETIME = ("purchased", "granted", "spent", "refunded", "expired")
FIGURES = ("count", "gross", "tax", "commission", "net", "tokens")


class Agreement:
    """One book: what its service answers, and what its log says."""

    def __init__(self, service: httpx.Client, log: ExportedLog) -> None:
        self._service, self._log = service, log

    def ask(self, path: str, **parameters: Any) -> Any:
        """The answer to a question."""
        answer = self._service.get(path, params=parameters)
        assert answer.status_code == 200, f"{path} {parameters}: {answer.text}"
        return answer.json()

    def items(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found, after = [], {}
        while True:
            page = self.ask(path, limit=200, **parameters, **after)
            found += page["items"]
            if not page["has_more"]:
                return found
            after = {"after": page["next_cursor"]}

    def check_all(self) -> None:
        """Everything below; rights as they are now."""
        self.check_log()
        self.check_balances()
        self.check_journal()
        self.check_wallets()
        self.check_liability()
        self.check_creators()
        self.check_days()
        self.check_periods()
        self.check_leaders()
        self.check_calls()
        self.check_entitlements(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")
        self.check_revenue()
        self.check_registers()
        self.check_consistency()

    def check_consistency(self) -> None:
        """The service itself finds nothing that differs either."""
        found = self.ask("consistency")
        assert found["ok"], found
        assert found["tie_outs"] and all(each["difference"] == 0 for each in found["tie_outs"])

    def check_log(self) -> None:
        """Positions are dense, every event balances, and times never go back."""
        assert self._log.rows("log") == [(True, 0, 0)]

    def check_balances(self) -> None:
        """Trial balances by account and by class: now, at positions, times and dates."""
        entries, days = self._log.entries, self._log.days()
        positions = [entries, entries * 2 // 3, entries // 3, 1]
        dates = [days[len(days) // 4], days[len(days) // 2], days[-1]]
        for by, query in (("account", "balances"), ("class", "class_balances")):
            asked = {} if by == "account" else {"by": by}
            assert self._balances(**asked) == self._log.by(query, 2), by
            for position in positions:
                found = self._balances(position=position, **asked)
                assert found == self._log.by(query, 2, upto=position), (by, position)
            for day in dates:
                found = self._balances(effective_on=day, **asked)
                assert found == self._log.by(query, 2, until=day), (by, day)
        position = positions[1]
        found = self._balances(at=self._log.recorded_at(position))
        assert found == self._log.by("balances", 2, upto=position)

    def check_journal(self) -> None:
        """The general journal, the tree of accounts and trial balances page by page."""
        days = self._log.days()
        months = {day[:7] for day in days}
        for month in sorted(months)[:: max(1, len(months) // 3)]:
            found = {}
            for item in self.items("journal", period=month):
                for leg in item["postings"]:
                    key = item["position"], leg["account"], leg["asset"]
                    found[key] = (found.get(key, (0,))[0] + leg["amount"],)
            assert found == self._log.by("journal_of", 3, month=month), month
            self._check_tree(month)
        page, rows = self.ask("trial-balance", limit=100), {}
        while True:
            rows |= _nets(page["rows"])
            if page["next_cursor"] is None:
                break
            page = self.ask("trial-balance", limit=100, after=page["next_cursor"])
        assert {key: (net,) for key, net in rows.items() if net} == self._log.by("balances", 2)

    def _check_tree(self, month: str) -> None:
        classes = self.ask("accounts", period=month, nonzero=True)["items"]
        found = {(one["account"], one["asset"]): _turnover(one) for one in classes}
        assert found == self._log.by("class_turnover", 2, month=month), month
        accounts = {
            (one["account"], one["asset"]): _turnover(one)
            for prefix in {one["account"].partition(".*")[0] for one in classes}
            for one in self.items("accounts", prefix=prefix, depth=4, period=month, nonzero=True)
        }
        assert accounts == self._log.by("account_turnover", 2, month=month), month

    def _balances(self, **moment: Any) -> dict[Any, tuple[int]]:
        rows = self.ask("trial-balance", **moment)["rows"]
        return {key: (net,) for key, net in _nets(rows).items() if net}

    def check_wallets(self) -> None:
        """Every wallet; together they are what was supplied."""
        frozen: dict[str, list[str]] = {}
        for kind, subject, scope in self._log.rows("frozen"):
            if kind == "wallet":
                frozen.setdefault(subject, []).append(scope)
        held: Counter[str] = Counter()
        wallets = self._log.by("wallets")
        for user, figures in wallets.items():
            wallet = self.ask(f"wallets/{user}")
            free, lifetime = wallet["free"], wallet["lifetime"]
            found = (
                free["paid"] + wallet["lapsing"],
                free["promo"] + wallet["expired"],
                wallet["held"]["paid"],
                wallet["held"]["promo"],
                *(lifetime[name] for name in LIFETIME),
            )
            assert found == figures, user
            assert wallet["frozen"] == sorted(frozen.get(user, [])), user
            held.update(PAID=figures[0] + figures[2], PROMO=figures[1] + figures[3])
        supply = {
            asset.rpartition(".")[2]: net
            for (account, asset), (net,) in self._log.by("balances", 2).items()
            if account == "supply"
        }
        assert {kind: tokens for kind, tokens in held.items() if tokens} == supply

    def check_liability(self) -> None:
        """Unspent tokens by class, by lot, and what is deferred; every day ties out."""
        found = self.ask("liability")
        tokens: Counter[str] = Counter()
        for each in found["classes"]:
            tokens[each["kind"]] += each["tokens"]
        assert {kind: (n,) for kind, n in tokens.items() if n} == self._log.by("liability")
        assert found["outstanding"] == sum(tokens.values())
        assert [(found["deferred"], found["breakage"])] == self._log.rows("liability_money")
        assert found["tie_out"]["ok"], found["tie_out"]
        left: Counter[str] = Counter()
        for user in self._log.by("wallets"):
            for lot in self.ask(f"wallets/{user}/lots")["items"]:
                left[lot["kind"]] += lot["left"]
        assert left == tokens

    def check_creators(self) -> None:
        """What every creator is owed and has earned, and by source for all together."""
        buckets = self._log.by("buckets", 2)
        nets = self._log.by("nets", 2)
        together: dict[str, Counter[str]] = {}
        for creator in {key[0] for key in (*buckets, *nets)}:
            seen = self.ask(f"creators/{creator}/earnings")
            for bucket in ("pending", "available", "reserved", "payout"):
                owed = seen["in_payout" if bucket == "payout" else bucket]
                assert owed == buckets.get((creator, bucket), (0,))[0], (creator, bucket)
            mine = {source: net for (who, source), (net,) in nets.items() if who == creator}
            assert {one["source"]: one["net"] for one in seen["by_source"]} == mine, creator
            assert seen["lifetime_earned"] == sum(mine.values())
            for one in seen["by_source"]:
                assert one["gross"] == one["tax"] + one["commission"] + one["net"], creator
                sums = together.setdefault(one["source"], Counter())
                sums.update({name: one[name] for name in FIGURES})
        for source, figures in self._log.by("sources").items():
            found = tuple(together[source][name] for name in FIGURES)
            assert found == figures or source == "session", source  # several creators share one

    def check_days(self) -> None:
        """Every business day: sales by product, payers, and what else happened."""
        days = self._log.days()
        payers = self._log.by("daily_payers")
        facts = self._log.by("daily_facts", 2)
        products: dict[str, dict[str, tuple[int, ...]]] = {}
        for day, product, *figures in self._log.rows("daily_products"):
            products.setdefault(day, {})[product] = tuple(figures)
        seen = {}
        for first in range(0, len(days), 30):
            month = days[first : first + 30]
            answer = self.ask("analytics/daily", **{"from": month[0], "to": month[-1]})
            seen |= {day["date"]: day for day in answer["days"]}
        names = ("count", "gross", "tokens", "tax", "creator_share", "platform_share")
        for day in days:
            shown = seen.get(day)
            if shown is None:
                assert day not in products and day not in payers, day
                continue
            sold = {
                product: tuple(figures[name] for name in names)
                for product, figures in shown["sales_by_product"].items()
            }
            assert sold == products.get(day, {}), day
            assert shown["payers"] == payers.get(day, (0,))[0], day
            for path, kind in COUNTED.items():
                assert _at(shown, path) == facts.get((day, kind), (0,))[0], (day, path)
            for path, kind in AMOUNTS.items():
                count, amount, _ = facts.get((day, kind), (0, 0, 0))
                assert _at(shown, path) == {"count": count, "amount": amount}, (day, path)
            bought = facts.get((day, "tokens.purchased.v1"), (0, 0, 0))
            figures = shown["token_sales"]
            assert (figures["count"], figures["amount"], figures["tokens"]) == bought, day
            lapsed = facts.get((day, "tokens.lapsed.v1"), (0, 0, 0))
            assert shown["tokens_lapsed"] == {"tokens": lapsed[2], "amount": lapsed[1]}, day
            expired = facts.get((day, "promo_tokens.expired.v1"), (0, 0, 0))
            assert shown["tokens_expired"] == expired[2], day
            used = facts.get((day, "hold.settled.v1"), (0, 0, 0))
            assert tuple(shown["usage"][name] for name in ("count", "amount", "tokens")) == used

    def check_periods(self) -> None:
        """Days, weeks and months: distinct payers, what they paid, and tips by stream."""
        days = self._log.days()
        for unit, path in (("day", "daily"), ("week", "weekly"), ("month", "monthly")):
            answer = self.ask(f"analytics/{path}", **{"from": days[0], "to": days[-1]})
            seen = {each["date"]: each for each in answer[f"{unit}s"]}
            for first, figures in self._log.by("periods", unit=unit).items():
                payers, money, margin, earned, cashed = figures
                shown = seen.get(first)
                if shown is None:
                    assert not any(figures), first
                    continue
                assert shown["payers"] == payers, (unit, first)
                assert shown["arppu"]["amount"] == money, (unit, first)
                assert shown["margin_per_payer"]["amount"] == margin, (unit, first)
                assert shown["cash_out"]["earned"] == earned, (unit, first)
                assert shown["cash_out"]["amount"] == cashed, (unit, first)
                if payers:
                    assert abs(shown["arppu"]["per_payer"] * payers - money) * 2 <= payers
            tips = {
                (first, tip["stream"]): (tip["count"], tip["amount"], tip["tokens"])
                for first, shown in seen.items()
                for tip in shown["tips_by_stream"]
            }
            assert tips == self._log.by("streams", 2, unit=unit)

    def check_leaders(self) -> None:
        """What each fan spent in all and by month, in an order without ties."""
        months = sorted({f"{day[:7]}-01" for day in self._log.days()})
        for month in ("", *months):
            asked = {"period": month[:7]} if month else {}
            items = self.items("leaderboards", of="fans", **asked)
            found = {item["fan"]: (item["amount"], item["count"]) for item in items}
            assert found == self._log.by("leaders", month=month), month
            amounts = [item["amount"] for item in items]
            assert amounts == sorted(amounts, reverse=True)
            assert [item["rank"] for item in items] == list(range(1, len(items) + 1))

    def check_calls(self) -> None:
        """How many calls each fan had, how long and for how much; together they are all calls."""
        days = self._log.days()
        period = {"from": days[0], "to": days[-1], "limit": 1}
        names = ("started", "ended", "blocks", "seconds", "tokens", "paid")
        together: Counter[str] = Counter()
        for fan, figures in self._log.by("calls").items():
            found = self.ask("call-statistics", user=fan, **period)["totals"]
            assert tuple(found[name] for name in names) == figures, fan
            together.update(dict(zip(names, figures, strict=True)))
        whole = self.ask("call-statistics", **period)["totals"]
        assert {name: whole[name] for name in names} == {name: together[name] for name in names}

    def check_entitlements(self, now: str) -> None:
        """Whoever has a right has it, by the sale that gives it; whoever has not, has none."""
        rights = self._log.by("entitled", 2, now=now)
        for (user, item), (sale,) in rights.items():
            seen = self.ask(f"entitlements/{user}/{item}")
            assert seen["sale"] == sale, (user, item)
        for user, item in {*self._log.rows("ever_entitled")} - {*rights}:
            answer = self._service.get(f"entitlements/{user}/{item}")
            assert answer.status_code == 402, (user, item)

    def check_revenue(self) -> None:
        """Income and expense of the whole time by group, and that card sales add up."""
        days = self._log.days()
        for by in ("day", "month", "product", "source", "item", "offer", "label.campaign"):
            asked = {"group_by": by, "from": days[0], "to": days[-1]}
            found = {}
            for group in self.items("revenue", **asked):
                for figure in INCOME:
                    if group[figure]:
                        found[group[by], figure] = (group[figure],)
            assert found == self._log.by("revenue", 2, by=by), by
        nets = Counter[str]()
        for (account, _), (net,) in self._log.by("balances", 2).items():
            nets[account] += net
        totals = self.ask("revenue", **{"from": days[0], "to": days[-1]})["totals"]
        assert totals["commission"] == -nets["rev.commission"]
        assert totals["promotional"] == nets["exp.promo"]

    def check_tiers(self) -> None:
        """Everybody's tier at the end of the last day, after the last turn of the scheduler."""
        tiers = self._log.by("tiers", now=f"{self._log.days()[-1]}T23:59:59")
        assert _shown(self.items("tiers"), ("status",)) == tiers
        assert dict.fromkeys(tiers, ("NEW",)) | self._log.by("tier_changes") == tiers
        for tier in {tier for (tier,) in tiers.values()}:
            found = {one["id"] for one in self.items("tiers", status=tier)}
            assert found == {user for user, known in tiers.items() if known == (tier,)}

    def check_registers(self) -> None:
        """Payouts, disputes, buyers at risk, offers, and what waits in suspense."""
        names = ("status", "creator", "gross", "fee", "withheld", "net", "approver",
                 "processor_ref", "first_position", "last_position")  # fmt: skip
        assert _shown(self.items("payouts"), names) == self._log.by("payouts")
        names = ("status", "user", "sale", "purchase", "amount", "first_position", "last_position")
        assert _shown(self.items("disputes"), names) == self._log.by("disputes")
        assert _shown(self.items("risk"), ("disputes", "amount")) == self._log.by("risk")
        names = ("uses", "revenue", "discount", "platform_discount")
        assert _shown(self.items("offers"), names) == self._log.by("offers")
        waiting = {
            one["payment_ref"]: (one["code"],) for one in self.items("notices", status="SUSPENDED")
        }
        assert waiting == self._log.by("suspended")


def _shown(items: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    return {item["id"]: tuple(item[name] for name in names) for item in items}


def _nets(rows: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    return {(row["account"], row["asset"]): row["debit"] - row["credit"] for row in rows}


def _turnover(item: dict[str, Any]) -> tuple[int, int, int]:
    return item["opening"], item["debit"], item["credit"]


def _at(shown: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        shown = shown[name]
    return shown
