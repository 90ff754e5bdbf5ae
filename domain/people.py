"""Four eyes are two people's: whoever decides about a proposal is none of those behind it.

Behind a command stands its actor and, where it was sent on somebody's behalf, its sender, too: who
holds the key may have named anybody. Both stand with the proposal, and both of the decision are
compared with both. That one person has no keys under two names is for the operator to see to.
"""

from domain.command import Given
from domain.rejections import SELF_APPROVAL_FORBIDDEN, Rejection, reject


def sender(given: Given) -> str | None:
    """Who sent the command, where that is another than its actor."""
    return given.principal if given.principal != given.actor else None


def self_approval(given: Given, *behind: str | None) -> Rejection | None:
    """Rejection if the actor or the sender of the decision is one of those behind the proposal."""
    for person in (given.actor, given.principal):
        if person in behind:
            return reject(SELF_APPROVAL_FORBIDDEN, actor=person)
    return None
