"""Which tables the answer to a question reads whole."""

from typing import Any

from ledger.postgres.database import Connection


class Explaining:
    """A connection that explains what it is asked, as a prepared plan for any values, too."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.scanned: set[str] = set()
        self.rows = 0

    def execute(self, query: Any, values: Any = None, **more: Any) -> Any:
        """Answer the query, and keep which tables it reads whole."""
        raw = query if isinstance(query, bytes) else query.as_bytes(None)
        for mode in ("force_custom_plan", "force_generic_plan"):
            self.connection.execute(f"SET plan_cache_mode = {mode}".encode())
            (plan,) = self.connection.execute(
                b"EXPLAIN (ANALYZE, FORMAT JSON) " + raw, values, prepare=True
            ).fetchone() or ({},)
            self._look(plan[0]["Plan"])
        return self.connection.execute(raw, values, **more)

    def _look(self, node: dict[str, Any]) -> None:
        if node["Node Type"] == "Seq Scan":
            self.scanned.add(node["Relation Name"])
        if "Relation Name" in node:
            self.rows += node["Actual Rows"] * node["Actual Loops"]
        for child in node.get("Plans", ()):
            self._look(child)
