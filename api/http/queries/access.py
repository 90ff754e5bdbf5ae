"""Who may see what. Each rule is declared once, in the row of a question."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.rejections import ROLE_FORBIDDEN, Reason, reject
from ledger.api_keys import Identity, Role
from ledger.write.admission import Denied

#: Roles that may read everything in their book.
READERS = frozenset({Role.SERVICE, Role.FINANCE, Role.ADMIN, Role.APPROVER, Role.AUDITOR})
#: Roles that belong to one person, who sees nothing of anybody else.
PERSONS = frozenset({Role.FAN, Role.CREATOR})

_READERS_TEXT = ", ".join(f"`{role}`" for role in sorted(READERS))


@dataclass(frozen=True, slots=True)
class Readers:
    """The roles that read everything, and nobody else. `what` completes "read …"."""

    what: str

    def __call__(self, identity: Identity, parameters: Mapping[str, Any]) -> None:
        """Raise Denied unless the identity reads everything."""
        if identity.role not in READERS:
            action = f"read {self.what}"
            raise Denied(reject(ROLE_FORBIDDEN, role=str(identity.role), action=action))

    @property
    def description(self) -> str:
        """The roles that may ask."""
        return f"Roles: {_READERS_TEXT}."


@dataclass(frozen=True, slots=True)
class OwnerOrReaders:
    """The roles that read everything, and `owner` about themselves, whom the path's `parameter`
    names. Another person is answered `unknown`, as if there were nobody of that name."""

    owner: Role
    parameter: str
    unknown: Reason

    def __call__(self, identity: Identity, parameters: Mapping[str, Any]) -> None:
        """Raise Denied unless the identity reads everything, or this and owns it."""
        subject = parameters[self.parameter]
        if identity.role in READERS or (identity.role is self.owner and identity.actor == subject):
            return
        if identity.role in PERSONS:
            raise Denied(reject(self.unknown, subject=subject))
        raise Denied(reject(ROLE_FORBIDDEN, role=str(identity.role), action="read balances"))

    @property
    def description(self) -> str:
        """The roles that may ask."""
        return f"Roles: {_READERS_TEXT}; `{self.owner}`, who sees nobody else's."


@dataclass(frozen=True, slots=True)
class PartyOrReaders:
    """The roles that read everything, and each role of `parties` its own rows: those in which that
    filter names the person. `what` completes "read …"."""

    what: str
    parties: Mapping[Role, str]

    def __call__(self, identity: Identity, parameters: Mapping[str, Any]) -> None:
        """Raise Denied unless the identity reads everything, or may be a party."""
        if identity.role not in READERS and identity.role not in self.parties:
            action = f"read {self.what}"
            raise Denied(reject(ROLE_FORBIDDEN, role=str(identity.role), action=action))

    def own(self, identity: Identity) -> dict[str, str]:
        """The filter that whatever this identity reads must pass; empty for all that there is."""
        if identity.role in READERS:
            return {}
        return {self.parties[identity.role]: identity.actor}

    @property
    def description(self) -> str:
        """The roles that may ask."""
        persons = "".join(f"; `{role}`, who sees nobody else's" for role in self.parties)
        return f"Roles: {_READERS_TEXT}{persons}."


_UNKNOWN_USER = Reason("UNKNOWN_USER", 404, "Unknown user", "there is no user {subject}")
_UNKNOWN_CREATOR = Reason(
    "UNKNOWN_CREATOR", 404, "Unknown creator", "there is no creator {subject}"
)

USER_OR_READERS = OwnerOrReaders(Role.FAN, "user", _UNKNOWN_USER)
CREATOR_OR_READERS = OwnerOrReaders(Role.CREATOR, "creator", _UNKNOWN_CREATOR)
