"""The stage of the real thing: two services as processes of their own, asked over HTTP."""

import itertools
from collections.abc import Callable

from tests.conftest import FreshBook
from tests.scenarios.stage import Outcome, Person
from tests.scenarios.steps import Sent
from tests.scenarios.write_path import OnPostgreSQL
from tests.support.service import Client, Service


class OverHttp(OnPostgreSQL):
    """A stored book behind two services; every sender has an API key."""

    def __init__(self, fresh: FreshBook) -> None:
        super().__init__(fresh)
        self._services = [Service(fresh.service_url, fresh.admin_url).start() for _ in range(2)]
        self._clients: dict[Person, Client] = {}
        self._turns = itertools.cycle((0, 1))

    def send(self, sent: Sent, first: int | None = None) -> Outcome:
        """Ask the services in turn, or the one named first; a client that waits asks the other."""
        client = self._client(Person(sent.role, sent.actor, sent.client))
        key = sent.key or f"key-{next(self.numbers)}"
        service = next(self._turns) if first is None else first
        reply = client.insist(sent.command, sent.fields, key, service)
        return Outcome(sent, reply.status, reply.body, reply.replayed)

    def _client(self, person: Person) -> Client:
        if person not in self._clients:
            self._clients[person] = Client(
                self._services,
                self.book,
                self.fresh.admin_url,
                role=person.role,
                actor=person.actor,
                client=person.client,
            )
        return self._clients[person]

    def processes(self) -> tuple[Callable[[Sent], Outcome], Callable[[Sent], Outcome]]:
        """To the first service, and to the second."""
        self._client(Person("service", "backend", "backend"))  # its key is made once
        return lambda sent: self.send(sent, 0), lambda sent: self.send(sent, 1)

    def close(self) -> None:
        """Let the services finish what is in flight."""
        for client in self._clients.values():
            client.close()
        for service in self._services:
            service.stop()
