"""What the policy in force says to those who read a book."""

from datetime import UTC, datetime

from domain.controls.policy_changes import POLICIES, Policies
from domain.policy import Policy, PolicyVersion, in_force
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres.database import Connection


def policy_in_force(connection: Connection, now: datetime) -> Policy | None:
    """The policy under which the book decides a request that is recorded at `now`; None before
    the first. Its versions are few, and each is an event of one tag."""
    found = version_in_force(connection, now)
    return None if found is None else found.policy


def version_in_force(connection: Connection, now: datetime) -> PolicyVersion | None:
    """The same with its number."""
    policies = Policies()
    for _, data in reading.history(connection, POLICIES):
        policies = policies.apply(POLICIES, decode(data).event())
    return in_force(policies.versions(), now)


def fiscal_year_start(connection: Connection) -> int:
    """The month in which the book's fiscal years begin, by the policy in force now."""
    policy = policy_in_force(connection, datetime.now(UTC))
    return 1 if policy is None else policy.fiscal_year_start
