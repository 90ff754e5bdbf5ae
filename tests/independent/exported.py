"""A log as a client exports it over HTTP, in DuckDB, and the questions of `figures.sql`."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import httpx

_QUERIES = dict(
    re.findall(
        r"-- name: (\w+)\n(.*?)(?=\n-- name:|\Z)",
        Path(__file__).with_name("figures.sql").read_text(),
        re.DOTALL,
    )
)
_FAR = {"upto": 2**62, "until": "9999-12-31"}
Row = tuple[Any, ...]


class ExportedLog:
    """All entries of a book, taken from `GET /events` into a file of lines, and into DuckDB."""

    def __init__(self, service: httpx.Client, file: Path) -> None:
        self.entries = 0
        with file.open("w") as lines:
            for entry in _pages(service):
                lines.write(json.dumps(entry) + "\n")
                self.entries += 1
        self._database = duckdb.connect()
        self._database.execute(
            """
            CREATE TABLE entries AS
            SELECT position, type, effective_on::DATE AS effective_on, tags, body, postings, labels,
                   replace(recorded_at, 'Z', '')::TIMESTAMP AS recorded_at,
                   replace(occurred_at, 'Z', '')::TIMESTAMP AS occurred_at
            FROM read_ndjson(?, columns = {position: 'BIGINT', type: 'VARCHAR', body: 'JSON',
              effective_on: 'VARCHAR', recorded_at: 'VARCHAR',
              occurred_at: 'VARCHAR', tags: 'VARCHAR[]', postings: 'JSON',
              labels: 'JSON'}, maximum_object_size = 16777216)
            """,
            [str(file)],
        )
        self._database.execute(_QUERIES["views"])

    def rows(self, name: str, **moment: Any) -> list[Row]:
        """The answer of a named query."""
        wanted = {key: value for key, value in moment.items() if f"${key}" in _QUERIES[name]}
        if "$upto" in _QUERIES[name]:
            wanted = {**_FAR, **wanted}
        return self._database.execute(_QUERIES[name], wanted or None).fetchall()

    def by(self, name: str, keys: int = 1, **moment: Any) -> dict[Any, Row]:
        """The same by the first column, or by the first few."""
        found = {}
        for row in self.rows(name, **moment):
            found[row[0] if keys == 1 else row[:keys]] = row[keys:]
        return found

    def days(self) -> list[str]:
        """All effective dates."""
        query = "SELECT DISTINCT effective_on::VARCHAR FROM entries ORDER BY 1"
        return [day for (day,) in self._database.execute(query).fetchall()]

    def recorded_at(self, position: int) -> str:
        """When the entry at a position was recorded."""
        query = """
            SELECT strftime(recorded_at, '%Y-%m-%dT%H:%M:%S.%fZ') FROM entries WHERE position = ?
            """
        found = self._database.execute(query, [position]).fetchone()
        assert found is not None
        return str(found[0])

    def forget(self, type_name: str) -> None:
        """Lose the last event of a type, so that nothing agrees any more."""
        last = "(SELECT max(position) FROM entries WHERE type = ?)"
        self._database.execute(f"DELETE FROM entries WHERE position = {last}", [type_name])


def _pages(service: httpx.Client) -> Any:
    after = 0
    while True:
        answer = service.get("events", params={"after": after, "limit": 1000})
        assert answer.status_code == 200, answer.text
        events = answer.json()["events"]
        for event in events:
            yield event["body"] | {"position": event["position"]} if "type" not in event else event
        if len(events) < 1000:
            return
        after = events[-1]["position"]
