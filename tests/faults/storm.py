"""An hour of hard days, run by hand: two services under load, and one fault after the other.

    python -m tests.faults.storm --minutes 60 --seed 1

Services are killed and frozen; PostgreSQL is killed and frozen, its sessions are ended, its disk is
full, its clock jumps. Clients insist on an answer to every command and note how long they waited.
In the end everything that was acknowledged must be in the log once, with the answer that was given.

A full disk needs a file system of its own, so root; a jumping clock needs libfaketime. Without one
of them its faults are left out, and the storm says so. Ends with 1 if anything was lost, doubled or
answered with what no client expects.
"""

import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import track

from ledger.books import create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE
from ledger.postgres.migrations import migrate
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from tests.conftest import FreshBook
from tests.faults.storm_clients import Storm, Target
from tests.faults.storm_faults import Faults, a_clock, a_disk
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath
from tests.support.service import Service

#: Asked again at the end, byte for byte: the last ones and a sample of all others.
ASKED_AGAIN = 5_000


def examine(fresh: FreshBook, storm: Storm, targets: list[Target]) -> list[str]:
    """What was lost, doubled or changed, a sentence each."""
    stage = WritePath(fresh)
    stage.check()
    effects = Counter(entry.key for entry in stage.entries())
    wrong = [f"{key} has {n} effects" for key, n in effects.items() if n > 1]
    by_position = dict(enumerate(stage.entries(), 1))
    accepted = {n: told for n, told in storm.seen.answers.items() if told[0] == 201}
    for number, (_, body) in accepted.items():
        for event in json.loads(body)["events"]:
            entry = by_position.get(event["position"])
            if entry is None or str(entry.event_id) != event["event_id"]:
                wrong.append(f"{number}: {event} is not in the log")
    with fresh.connect(autocommit=True) as connection:
        found = [*verify_log(connection, fresh.book), *verify_snapshots(connection)]
    wrong += map(str, found)
    again = deque(storm.seen.answers.items(), maxlen=ASKED_AGAIN // 2)
    sample = random.Random(1).sample(
        sorted(storm.seen.answers.items()), min(ASKED_AGAIN // 2, len(storm.seen.answers))
    )
    for number, told in track([*again, *sample], "asking again"):
        if storm.send(number, targets[number % 2]) != told:
            wrong.append(f"{number}: another answer than before")
    return wrong


def main(
    minutes: Annotated[float, typer.Option(help="how long faults go on")] = 60.0,
    seed: Annotated[int, typer.Option(help="of the faults' order")] = 1,
) -> None:
    """Raise the storm, examine what is left, and print the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="tl-storm-") as name,
        a_disk(Path(name)) as disk,
        a_clock(Path(name)) as clock,
        embedded.server(Path(name) / "data") as server,
    ):
        for what, there in (("full disks", disk), ("jumping clocks", clock)):
            if not there:
                print(f"without {what}", file=sys.stderr)
        Path(name).chmod(0o755)  # PostgreSQL runs as another user than root
        migrate(server.url())
        book = create_book(server.url(), "Storm", currency="USD", time_zone="UTC")
        fresh = FreshBook(book, server.url(user=SERVICE_ROLE), server.url())
        stage = WritePath(fresh)
        stage.given(policy(MICRO_UNLOCK))
        stage.close()
        targets = [Target(Service(fresh.service_url, fresh.admin_url).start()) for _ in range(2)]
        storm = Storm(fresh, targets)
        faults = Faults(targets, server, clock, disk)
        try:
            rounds = _blow(storm, faults, minutes, random.Random(seed))
        except TimeoutError:
            print(_standstill(targets, server), file=sys.stderr)
            storm.abandon()
            raise
        storm.stop()
        strange = list(storm.seen.strange)
        wrong = examine(fresh, storm, targets)
        for target in targets:
            target.service.stop()
        figures: dict[str, Any] = {
            "faults": dict(rounds[0]),
            "answers": len(storm.seen.answers),
            "accepted": sum(1 for status, _ in storm.seen.answers.values() if status == 201),
            "attempts_by_status": dict(storm.seen.statuses),
            "longest_wait_s": round(storm.seen.longest_s, 2),
            "longest_wait": storm.seen.longest,
            "longest_recovery_s": round(rounds[1], 2),
            "strange": len(strange),
            "wrong": len(wrong),
            "first_strange": strange[:50],
            "first_wrong": wrong[:50],
        }
        print(json.dumps(figures, indent=2))
    sys.exit(1 if strange or wrong else 0)


def _standstill(targets: list[Target], server: embedded.Server) -> str:
    """What services and server say when nobody is answered any more."""
    said = []
    for target in targets:
        try:
            ready = httpx.get(f"{target.service.address}/health/ready", timeout=10)
            said.append(f"{target.service.address} {ready.status_code} {ready.text}")
        except httpx.TransportError as error:
            said.append(f"{target.service.address} {error!r}")
    lines = server.log_path.read_text(errors="replace").splitlines()[-60:]
    return "\n".join([*said, "the server's log:", *lines])


def _blow(
    storm: Storm, faults: Faults, minutes: float, chance: random.Random
) -> tuple[Counter[str], float]:
    """Round after round; answers what happened how often, and the longest recovery in seconds."""
    happened: Counter[str] = Counter()
    slowest_s = 0.0
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        kinds = chance.sample(faults.kinds, 2 if chance.random() < 0.25 else 1)
        threads = [threading.Thread(target=kind) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        happened.update(kind.__name__ for kind in kinds)
        slowest_s = max(slowest_s, storm.goes_on(60))
        print(f"{sum(happened.values())} faults, last {[kind.__name__ for kind in kinds]}, "
              f"{len(storm.seen.answers)} answers, longest wait {storm.seen.longest_s:.2f} s "
              f"({storm.seen.longest}), strange {len(storm.seen.strange)}",
              file=sys.stderr, flush=True)  # fmt: skip
    return happened, slowest_s


if __name__ == "__main__":
    typer.run(main)
