"""How the demo's figures look on a terminal: tables and a few words, nothing computed but sums."""

from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from api.currencies import figure, money
from api.simulation.day_plan import Size
from api.simulation.driver import Tallies
from api.simulation.figures import Picture
from api.simulation.tallies import figures
from projections.verify import Verification

_REJECTIONS_SHOWN = 8


def opening(book: str, url: str, size: Size) -> RenderableType:
    """The panel that says what is about to be simulated."""
    return Panel(
        f"book [bold]{book}[/], service at [link={url}]{url}[/link]\n"
        f"{size.users:,} users and {size.creators:,} creators send {size.commands:,} commands: "
        "purchases, tips, unlocks, mistakes, duplicates",
        title="[bold]tokenledger[/] · a day of a platform",
        border_style="cyan",
        expand=False,
    )


def summary(tallies: Tallies, seen: Picture, currency: str, report: Verification) -> RenderableType:
    """The day's figures, in the order in which finance staff ask for them."""
    return Group(
        Rule("the day"),
        figures(tallies),
        Columns([_outcomes(tallies), _rejections(tallies)], padding=(0, 4)),
        Rule("who earned, who spent"),
        Columns([_creators(seen, currency), _wallets(seen)], padding=(0, 4)),
        Rule("the books"),
        Columns([_trial_balance(seen), _liability(seen, currency)], padding=(0, 4)),
        Rule("in order?"),
        _proofs(seen, report),
    )


def addresses(url: str, book: str, key: str) -> RenderableType:
    """The addresses to look at while the service runs."""
    lines = Table.grid(padding=(0, 2))
    lines.add_row("API documentation", f"[bold]{url}/docs[/]")
    lines.add_row("health, metrics", f"{url}/health/ready  {url}/metrics")
    # Text, not markup, and one line of its own: it is there to be copied.
    asked = f'curl -H "Authorization: Bearer {key}" {url}/v1/books/{book}/wallets/fan-1'
    return Group(lines, "", Text(asked, overflow="fold"), "", "[dim]Ctrl-C stops the service[/]")


def asset_name(asset: str, book: str) -> str:
    """`demo.PAID` → PAID tokens; a currency is called as it is."""
    kind = asset.removeprefix(f"{book}.")
    return asset if kind == asset else f"{kind} tokens"


def _amount(amount: int, asset: str, book: str) -> str:
    """Tokens as they are, money with its currency's decimals."""
    return f"{amount:,}" if asset.startswith(f"{book}.") else figure(amount, asset)


def _table(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in table.columns[left:]:
        column.justify = "right"
    return table


def _outcomes(tallies: Tallies) -> Table:
    commands: dict[str, dict[str, int]] = {}
    for (command, outcome, _), times in tallies.outcomes.items():
        row = commands.setdefault(command, {})
        row[outcome] = row.get(outcome, 0) + times
    outcomes = ("accepted", "rejected", "suspended", "replayed")
    table = _table("answers", "command", *outcomes)
    for command, row in sorted(commands.items(), key=lambda item: -sum(item[1].values())):
        table.add_row(command, *(f"{row[o]:,}" if o in row else "" for o in outcomes))
    return table


def _rejections(tallies: Tallies) -> Table:
    codes: dict[str, int] = {}
    for (_, outcome, code), times in tallies.outcomes.items():
        if code and outcome != "replayed":
            codes[code] = codes.get(code, 0) + times
    table = _table("why not", "code", "times")
    for code, times in sorted(codes.items(), key=lambda item: -item[1])[:_REJECTIONS_SHOWN]:
        table.add_row(code, f"{times:,}")
    return table


def _creators(seen: Picture, currency: str) -> Table:
    table = _table("top creators", "creator", "sales", "tokens", "earned", "available")
    for creator in seen.creators:
        sources: list[dict[str, Any]] = creator["by_source"]
        table.add_row(
            creator["creator"],
            f"{sum(source['count'] for source in sources):,}",
            f"{sum(source['tokens'] for source in sources):,}",
            money(creator["lifetime_earned"], currency),
            money(creator["available"], currency),
        )
    return table


def _wallets(seen: Picture) -> Table:
    table = _table("fullest wallets", "user", "paid", "promo", "bought", "given", "spent")
    for wallet in seen.wallets:
        free, lifetime = wallet["free"], wallet["lifetime"]
        figures_of = (
            free["paid"],
            free["promo"],
            lifetime["purchased"],
            lifetime["granted"],
            lifetime["spent"],
        )
        table.add_row(wallet["user"], *(f"{tokens:,}" for tokens in figures_of))
    return table


def _trial_balance(seen: Picture) -> Table:
    at = seen.trial_balance.as_of_position
    table = _table(
        f"trial balance at position {at:,}", "accounts", "asset", "", "debit", "credit", left=2
    )
    for kind, asset, count, debit, credit in seen.trial_balance.kinds():
        parties = f"×{count:,}" if "*" in kind else ""
        table.add_row(
            kind,
            asset_name(asset, seen.book),
            f"[dim]{parties}[/]",
            _amount(debit, asset, seen.book) if debit else "",
            _amount(credit, asset, seen.book) if credit else "",
        )
    table.add_section()
    for total in seen.trial_balance.totals:
        sums = (_amount(side, total.asset, seen.book) for side in (total.debit, total.credit))
        table.add_row("total", asset_name(total.asset, seen.book), "", *sums)
    return table


def _liability(seen: Picture, currency: str) -> Table:
    balance = seen.trial_balance.balance
    owed = -sum(
        row.debit - row.credit for row in seen.trial_balance.rows if row.account.startswith("cr.")
    )
    table = _table("supply and liability", "what", "how much")
    for name in ("PAID", "PROMO"):
        tokens = balance("supply", f"{seen.book}.{name}")
        table.add_row(f"tokens outstanding, {name.lower()}", f"{tokens:,}")
    table.add_row("deferred: sold and unspent", money(-balance("deferred", currency), currency))
    table.add_row("owed to creators", money(owed, currency))
    table.add_row("in suspense, for a person", money(-balance("suspense", currency), currency))
    table.add_row("margin on tokens", money(-balance("rev.margin", currency), currency))
    table.add_row("commission on cards", money(-balance("rev.commission", currency), currency))
    table.add_row("promotional cost", money(balance("exp.promo", currency), currency))
    return table


def _proofs(seen: Picture, report: Verification) -> Table:
    proofs = Table.grid(padding=(0, 2))
    differences = {total.asset: total.debit - total.credit for total in seen.trial_balance.totals}
    zero = ", ".join(f"{off} {asset_name(asset, seen.book)}" for asset, off in differences.items())
    proofs.add_row(_mark(not any(differences.values())), "debits minus credits", zero)
    behind = ", ".join(f"{p['name']} {p['position']:,}" for p in seen.projections)
    proofs.add_row(_mark(seen.caught_up), f"read models at head {seen.head:,}", behind)
    proofs.add_row(_mark(seen.consistency["ok"]), "read models and journal", _tied(seen))
    verified = "every hash, posting, tag, snapshot and read model is what the log makes of it"
    if report.first is not None:
        verified = f"the first difference: {report.first.what}"
    proofs.add_row(_mark(report.first is None), f"verify to {report.head:,}", verified)
    return proofs


def _tied(seen: Picture) -> str:
    found = seen.consistency
    off = [
        f"{each['name']} by {each['difference']}" for each in found["tie_outs"] if not each["ok"]
    ]
    rows = found["wallets_differing"] + found["creators_differing"]
    told = f"{len(found['tie_outs'])} sums tie out; {rows} wallets and creators differ"
    return f"{told}; off: {', '.join(off)}" if off else told


def _mark(good: bool) -> str:
    return "[green]✔[/]" if good else "[red]✘[/]"
