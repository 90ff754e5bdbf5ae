"""`docs/imports.md` is true: its maps can be read, its options are there, its codes are all."""

import ast
import re
from pathlib import Path

from typer.main import get_command

from api.cli.main import app
from api.imports.csv_rows import BrokenLine
from api.imports.maps import parse_map
from tests.api.imports.reading import tried

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "imports.md").read_text()
#: Codes that admission and the writer give, and the importer tells.
LEDGERS_OWN = {"INVALID_REQUEST", "IDEMPOTENCY_KEY_REUSED"}


def test_its_maps_do_what_it_says(tmp_path: Path) -> None:
    orders, settlement = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "orders.csv"
    path.write_text(
        "Order ID;Buyer;SKU;Total;Currency;Status;Date;Time\n"
        "o1;ann;S;1.234,50;EUR;paid;24.12.2025;18:30\no2;ben;L;9,99;EUR;open;24.12.2025;18:31\n"
    )
    report, (made,), _ = tried(path, parse_map(orders, "the page"), currency="EUR")
    assert report.skipped.rows == 1 and report.clean
    assert made.fields["price"] == 123_450 and made.fields["package"] == "small"
    assert made.fields["occurred_at"] == "2025-12-24T17:30:00.000000Z"
    path.write_text("type,line,charge,amount,fee,date,currency\nsale,l1,c1,5,,2026-11-20,EUR\n")
    _, (made,), _ = tried(path, parse_map(settlement, "the page"), currency="EUR")
    assert made.fields["lines"] == [
        {
            "line_ref": "l1",
            "kind": "PAYMENT",
            "processor_ref": "c1",
            "gross": 500,
            "fee": 0,
            "currency": "EUR",
            "value_date": "2026-11-20",
        }
    ]


def test_every_option_and_every_code_is_explained() -> None:
    command = get_command(app).commands["import"]  # type: ignore[attr-defined]
    options = {name for option in command.params for name in option.opts if name[:2] == "--"}
    missing = {name for name in options - {"--book"} if f"`{name}`" not in PAGE}
    assert not missing
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    assert explained == complained_of() | LEDGERS_OWN


def complained_of() -> set[str]:
    """The codes of all complaints that the importer makes itself."""
    codes = {BrokenLine(1, None, "").code}
    trees = [ast.parse(path.read_text()) for path in (ROOT / "api" / "imports").glob("*.py")]
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id in {"Complaint", "BrokenLine"}:
            texts = (a.value for a in call.args if isinstance(a, ast.Constant))
            codes |= {t for t in texts if isinstance(t, str) and t.isupper()}
    return codes
