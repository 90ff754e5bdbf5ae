"""A service process under load, to be killed and frozen: a writer that is never out of commands.

Started as `python -m tests.faults.worker URL BOOK NAME ACKS START`. Command number n of a worker
is always the same. What was answered is written to the file ACKS, a line each, as soon as it is
known; a kill does not lose it. SIGTERM finishes what is under way.
"""

import json
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ledger.books import get_book
from ledger.postgres.database import connect
from ledger.write.admission import admit
from ledger.write.answer import Answer
from ledger.write.request import Request
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer
from tests.scenarios.stage import Person

GROUP = 10
IN_FLIGHT = 3
RETRY_S = 0.02
WORKER = Person("service", "worker", "worker")

stopping = threading.Event()


def request(name: str, number: int) -> Request:
    """Command `number` of the worker called `name`; every tenth repeats an earlier one."""
    if number % 10 == 9:
        number -= 5
    user, creator = f"fan-{number % 7}", f"creator-{number % 3}"
    sale = {"user": user, "creator": creator, "funding": "TOKEN"}
    match number % 10:
        case 0 | 8:
            paid = {"processor": "stripe", "processor_ref": f"{name}-{number}"}
            fields: dict[str, Any] = {"user": user, "package": "small", "price": 999, **paid}
            return _admit("record-purchase", fields, f"{name}-{number}")
        case 3:
            item = {"item": f"item-{name}-{number}", "price": 99}
            return _admit("unlock", {**sale, **item}, f"{name}-{number}")
        case 7:
            return _admit("send-tip", {**sale, "amount": 10**9}, f"{name}-{number}")
    return _admit("send-tip", {**sale, "amount": 1 + number % 50}, f"{name}-{number}")


def _admit(command: str, fields: dict[str, Any], key: str) -> Request:
    return admit(command, fields, WORKER, idempotency_key=key, correlation_id=key)


def acknowledged(path: Path) -> Iterator[tuple[int, int, str]]:
    """(number, status, body) of every line that was written whole."""
    if not path.exists():
        return
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            number, status, body = json.loads(line)
            yield number, status, body


def run(writer: Writer, name: str, acks: Path, start: int) -> None:
    """Send group after group until told to stop; what is unavailable is sent again."""
    waiting: deque[tuple[int, Future[list[Answer]]]] = deque()
    number = start
    with acks.open("ab", buffering=0) as file:
        while waiting or not stopping.is_set():
            while len(waiting) < IN_FLIGHT and not stopping.is_set():
                waiting.append((number, _send(writer, name, number)))
                number += GROUP
            first, future = waiting.popleft()
            try:
                answers = future.result()
            except Unavailable:
                stopping.wait(RETRY_S)
                waiting.appendleft((first, _send(writer, name, first)))
                continue
            lines = [
                json.dumps([first + n, answer.status, answer.body.decode()]) + "\n"
                for n, answer in enumerate(answers)
            ]
            file.write("".join(lines).encode())


def _send(writer: Writer, name: str, first: int) -> Future[list[Answer]]:
    requests = [request(name, first + n) for n in range(GROUP)]
    try:
        return writer.write_soon(requests)
    except Unavailable as away:
        refused: Future[list[Answer]] = Future()
        refused.set_exception(away)
        return refused


def main() -> None:
    """Run until SIGTERM."""
    url, book_name, name, acks, start = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with connect(url) as connection:
        book = get_book(connection, book_name)
    writer = Writer(book, lambda: connect(url, book.schema, autocommit=True)).start()
    run(writer, name, Path(acks), int(start))
    writer.stop()


if __name__ == "__main__":
    main()
