"""From a row to the commands that its map makes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.imports.csv_rows import UNREADABLE, Row
from api.imports.maps import CommandMap, LineMap, Map, RowMap, Source
from api.imports.settlement_lines import COMMAND, SettlementLine
from api.imports.values import Complaint, Fields, Getter, Reading

ID = "must be 1 to 64 of A-Z a-z 0-9 _ -; map what is longer or holds others to an id of its own"
REFERENCE = "must be 1 to 128 of A-Z a-z 0-9 _ . : + = @ -"
_ID_PATTERN, _REFERENCE_PATTERN = "[A-Za-z0-9_-]{1,64}", "[A-Za-z0-9_.:+=@-]{1,128}"


@dataclass(frozen=True, slots=True)
class Made:
    """A command made of a row. `columns` says where each field came from."""

    command: str
    key: str | None
    fields: dict[str, Any]
    columns: dict[str, str]

    def complaint(self, pointer: str, message: str, code: str) -> Complaint:
        """What admission found wrong with a field, told by its column."""
        field = pointer.rpartition("/")[2]
        column = self.columns.get(field)
        if _ID_PATTERN in message:
            message = ID
        elif _REFERENCE_PATTERN in message:
            message = REFERENCE
        if column is None and pointer:
            message = f"{self.command} {pointer}: {message}"
        return Complaint(column, message, code)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a row becomes; `amount` is what the report adds up. No commands: passed over."""

    commands: list[Made]
    amount: int


_Maker = Callable[[Row], Made]


class Translator:
    """A map against the columns of one file and the currency of one book."""

    def __init__(self, mapping: Map, reading: Reading) -> None:
        self._reading = reading
        self._encoding = mapping.file.encoding
        self._currencies = [reading.at(column) for column in mapping.currency]
        self._currency_columns = ", ".join(mapping.currency)
        self._sum = reading.getter(mapping.sum) if mapping.sum else None
        self._rules = [self._rule(row, mapping) for row in mapping.rows]
        self._asked = list(dict.fromkeys(column for row in mapping.rows for column in row.when))
        self._used = [reading.at(column) for column in mapping.columns()]

    def take(self, row: Row) -> Taken:
        """The row's commands; raises Complaint."""
        fields = row.fields
        if row.garbled:
            self._check_readable(fields)
        makers = self._makers(fields)
        if not makers:
            return Taken([], 0)
        if self._currencies:
            self._check_currency(fields)
        amount = self._sum(fields) if self._sum else 0
        return Taken([make(row) for make in makers], int(amount or 0))

    def _makers(self, fields: Fields) -> list[_Maker]:
        for conditions, makers in self._rules:
            if all(fields[at] in wanted for at, wanted in conditions):
                return makers
        raise self._unforeseen(fields)

    def _rule(
        self, row: RowMap, mapping: Map
    ) -> tuple[list[tuple[int, frozenset[str]]], list[_Maker]]:
        conditions = [(self._reading.at(c), frozenset(values)) for c, values in row.when.items()]
        if row.line is not None:
            return conditions, [self._line(row.line, mapping.processor or "")]
        return conditions, [self._command(command) for command in row.commands]

    def _command(self, command: CommandMap) -> _Maker:
        key = self._reading.key(command.key) if command.key is not None else None
        constants = {f: s.constant for f, s in command.fields.items() if s.constant is not None}
        getters = [
            (field, self._reading.getter(source))
            for field, source in command.fields.items()
            if field not in constants
        ]
        columns = {field: ", ".join(source.names()) for field, source in command.fields.items()}
        columns = {field: names for field, names in columns.items() if names}
        columns["idempotency_key"] = ", ".join(command.key_columns())
        name = command.command

        def make(row: Row) -> Made:
            fields = row.fields
            made_key = None if key is None else key(fields)
            values: dict[str, Any] = dict(constants)
            for field, get in getters:
                value = get(fields)
                if value is not None:
                    values[field] = value
            return Made(name, made_key, values, columns)

        return make

    def _line(self, line: LineMap, processor: str) -> _Maker:
        reference, gross = self._reading.getter(line.line_ref), self._reading.getter(line.gross)
        payment, fee, day = map(self._optional, (line.processor_ref, line.fee, line.value_date))
        parts = {
            "line_ref": line.line_ref,
            "processor_ref": line.processor_ref,
            "gross": line.gross,
            "fee": line.fee,
            "value_date": line.value_date,
        }
        columns = {name: ", ".join(part.names()) for name, part in parts.items() if part}
        sha256, currency = self._reading.file_sha256, self._reading.currency

        def make(row: Row) -> Made:
            fields = row.fields
            paid = payment(fields)
            when = day(fields)
            found = SettlementLine(
                processor=processor,
                kind=line.kind,
                line_ref=str(reference(fields)),
                gross=int(gross(fields) or 0),
                fee=int(fee(fields) or 0),
                processor_ref=None if paid is None else str(paid),
                value_date=None if when is None else str(when),
            )
            key = f"settlement:{sha256}:{found.line_ref}"
            return Made(COMMAND, key, found.command_fields(sha256, row.line, currency), columns)

        return make

    def _optional(self, source: Source | None) -> Getter:
        return self._reading.getter(source) if source else lambda _: None

    def _check_readable(self, fields: Fields) -> None:
        for at in self._used:
            if UNREADABLE in fields[at]:
                raise Complaint(
                    self._reading.columns[at],
                    f"holds bytes that are not {self._encoding}; say --encoding windows-1252, or "
                    "whatever the file is written in",
                    "ENCODING",
                )

    def _check_currency(self, fields: Fields) -> None:
        named = {fields[at].strip().upper() for at in self._currencies} - {""}
        if named != {self._reading.currency}:
            other = ", ".join(sorted(named - {self._reading.currency}))
            raise Complaint(
                self._currency_columns,
                f"the row is in {other or 'no currency'} and the book in {self._reading.currency}; "
                "import it into a book of its currency with --book",
                "CURRENCY",
            )

    def _unforeseen(self, fields: Fields) -> Complaint:
        seen = ", ".join(f"{c} {fields[self._reading.at(c)][:40]!r}" for c in self._asked)
        return Complaint(
            None, f"no rows of the map fit: {seen}; add them to the map, or a skip", "NO_RULE"
        )
