"""A consumer that nobody here wrote: Kafka Connect takes the events, and agrees on daily totals.

What is computed from its file knows the published schemas and nothing else of this project.
"""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from consumers.kafka.local_broker import Broker, free_ports, java
from projections.queries import daily
from tests.consumers.kafka.edge import Edge
from tests.projections.following import follow
from tests.scenarios.steps import card_tip, card_unlock, grant, purchase, tip, unlock
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
ASYNCAPI: dict[str, Any] = json.loads((ROOT / "docs" / "asyncapi.json").read_text())


def configured(name: str, directory: Path, **values: str) -> Path:
    """The example's file with this run's own values."""
    text = (ROOT / "docs" / "connect" / f"{name}.properties").read_text()
    kept = [
        line for line in text.splitlines() if line.split("=")[0].replace(".", "_") not in values
    ]
    lines = [*kept, *(f"{key.replace('_', '.')}={value}" for key, value in values.items())]
    path = directory / f"{name}.properties"
    path.write_text("\n".join(lines))
    return path


def totals(lines: list[dict[str, Any]]) -> dict[tuple[str, str], Counter[str]]:
    """Sales by day and product: what they brought and what of it is whose, by the schemas."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for entry in lines:
        body = entry["body"]
        if "creator_share" not in body or "product" not in body:
            continue
        sums = found.setdefault((entry["effective_on"], body["product"]), Counter())
        sums["count"] += 1
        sums["gross"] += body["gross"] - body["discount"]
        sums["creator_share"] += body["creator_share"]
        sums["platform_share"] += body["platform_share"]
    return found


def test_connect_reads_the_events_and_agrees_on_daily_totals(
    edge: Edge, own_broker: Broker, tmp_path: Path
) -> None:
    edge.stage.given(
        purchase("small", 999, "ann"), grant(500, "ben"), unlock(399, "photo", "ann"),
        *[tip(n, "ben", "cora") for n in range(1, 8)],
        card_unlock(399, "song", "ann", creator="cora", discount=100), card_tip(250, "dee", "cora"),
    )  # fmt: skip
    edge.process("relay").start()
    edge.await_published()
    events = tmp_path / "events.ndjson"
    (port,) = free_ports(1)
    worker = configured(
        "worker",
        tmp_path,
        bootstrap_servers=own_broker.bootstrap,
        listeners=f"http://127.0.0.1:{port}",
        offset_storage_file_filename=str(tmp_path / "offsets"),
    )
    topic = f"tokenledger.{edge.fresh.book.name}.events"
    sink = configured("events-to-file", tmp_path, topics=topic, file=str(events))
    log = tmp_path / "connect.log"
    command = java("org.apache.kafka.connect.cli.ConnectStandalone", str(worker), str(sink))
    with log.open("wb") as said:
        connect = subprocess.Popen(["java", *command], stdout=said, stderr=said)
    try:
        until(
            lambda: events.exists() and events.read_bytes().count(b"\n") >= edge.head(),
            "the file of Kafka Connect",
            timeout_s=120,
        )
    finally:
        connect.kill()
        connect.wait()
        print(log.read_text()[-3_000:])
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    messages = ASYNCAPI["components"]["messages"]
    for entry in lines:
        schema = messages[entry["type"]]["payload"] | {"components": ASYNCAPI["components"]}
        Draft202012Validator(schema).validate(entry)

    follow(edge.fresh)
    found = totals(lines)
    days = sorted({day for day, _ in found})
    with edge.fresh.connect(autocommit=True) as connection:
        shown = daily(connection, days[0], days[-1])["days"]
    ours = {
        (str(day["date"]), product): sums
        for day in shown
        for product, sums in day["sales_by_product"].items()
    }
    assert set(ours) == set(found)
    for key, sums in found.items():
        assert {name: ours[key][name] for name in sums} == dict(sums)
