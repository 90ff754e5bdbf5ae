"""Importing settlement files, and what people do about breaks."""

from typing import Annotated, Literal

from msgspec import structs
from pydantic import Field, StringConstraints

from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Code, Id
from domain.payments.payment import PaymentRecord, payment_key
from domain.policy import SecondPerson
from domain.rejections import (
    CURRENCY_MISMATCH,
    INVALID_TRANSITION,
    UNKNOWN_BREAK,
    Rejection,
    reject,
)
from domain.settlements.breaks import MISSING, BreakAssigned, BreakResolved
from domain.settlements.lines import BreakOpened
from domain.settlements.piece import Piece, SentPiece
from domain.settlements.recorded import CHARGEBACKS, Recorded
from domain.settlements.settlement import (
    TRANSITIONS,
    Break,
    BreakCode,
    BreakResolution,
    BreakStatus,
    LineKind,
    Settled,
    SettledByNumber,
    break_key,
    numbered_key,
)

BreakId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:+=@-]{1,136}$")]
ResolutionField = Literal["MATCH", "RETURN", "WRITE_OFF", "DISMISS"]

RESOLUTIONS = {
    BreakCode.AMOUNT_MISMATCH: (BreakResolution.WRITE_OFF, BreakResolution.DISMISS),
    BreakCode.MISSING_IN_LEDGER: (
        BreakResolution.MATCH,
        BreakResolution.RETURN,
        BreakResolution.DISMISS,
    ),
    BreakCode.MISSING_IN_FILE: (BreakResolution.DISMISS,),
}


@command
class ImportSettlement(SentPiece):
    """Import lines of a processor's settlement file; `first_line` is the number of the first.

    A line is known by its processor and its `line_ref`: one that was imported from whichever file
    is passed over, so files may overlap, come again and come in pieces. `fee` is what the
    processor kept of the whole file, `payout` what it paid for it: send them with the last piece.
    """

    name = "import-settlement"
    roles = frozenset({"finance"})

    def decide(self, given: Given) -> Decision:
        """What is new in the piece; nothing of a file that is imported already."""
        for line in self.lines:
            if line.currency not in (None, given.assets.currency):
                expected = given.assets.currency
                return reject(CURRENCY_MISMATCH, expected=expected, given=line.currency)
        return tuple(Piece(self, given).events())


class BreakCommand(Command):
    """What commands about a break carry."""

    break_id: BreakId = Field(
        alias="break",
        description="The break's id. `missing-` and a payment's reference for a payment that no "
        "line tells of; the payment's reference for breaks of before breaks had ids.",
    )

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The break, under its own name or its payment's."""
        own = break_key(self.break_id), numbered_key(self.break_id)
        if not self.break_id.startswith(MISSING):
            return own
        missing = self.break_id.removeprefix(MISSING)
        return (*own, numbered_key(missing), payment_key(missing))

    def open_break(self, given: Given) -> Break | Rejection:
        """The break, if it is open."""
        found = given.state(Break, self.break_id)
        if found.status is None:
            found = self._numbered(given, found) or self._missing(given, found) or found
        if found.status is None:
            return reject(UNKNOWN_BREAK, **{"break": self.break_id})
        if (found.status, self.name) not in TRANSITIONS:
            return self.impossible(found.status)
        return found

    def impossible(self, state: str) -> Rejection:
        """The refusal of what a break in this state does not allow."""
        return reject(INVALID_TRANSITION, subject=f"the break {self.break_id}", state=state)

    def _numbered(self, given: Given, found: Break) -> Break | None:
        """The break of a line that was imported by its number: it has its payment's name."""
        settled = given.state(SettledByNumber, self.break_id)
        if not settled.processor:
            return None
        return structs.replace(
            found,
            status=BreakStatus.RESOLVED if settled.break_id is None else BreakStatus.OPEN,
            code=settled.code,
            processor=settled.processor,
            payment_ref=self.break_id,
            gross=settled.gross,
            suspense=settled.suspense,
            difference=settled.difference,
        )

    def _missing(self, given: Given, found: Break) -> Break | None:
        """A payment that no line tells of, as a break."""
        if not self.break_id.startswith(MISSING):
            return None
        reference = self.break_id.removeprefix(MISSING)
        payment = given.state(PaymentRecord, reference)
        if payment.status is None or not payment.amount:
            return None
        settled = given.state(Settled, f"{payment.processor}:{LineKind.PAYMENT}:{reference}")
        by_number = given.state(SettledByNumber, reference).processor == payment.processor
        return structs.replace(
            found,
            status=BreakStatus.RESOLVED if settled.processor or by_number else BreakStatus.OPEN,
            code=BreakCode.MISSING_IN_FILE,
            processor=payment.processor,
            payment_ref=reference,
            difference=-payment.amount,
        )


@command
class ResolveBreak(BreakCommand):
    """Decide on a break between settlement files and the ledger; each is resolved once.

    AMOUNT_MISMATCH: WRITE_OFF what differs by now. MISSING_IN_LEDGER: MATCH once the ledger has
    what the lines name, or RETURN the money; an adjustment can be a WRITE_OFF too. DISMISS any
    that was put right elsewhere, and a payment that no line tells of.
    """

    name = "resolve-break"
    roles = frozenset({"finance"})
    may_need_two = True

    resolution: ResolutionField
    reason_code: Code

    def second_person(self, given: Given, limits: SecondPerson, events: tuple[Event, ...]) -> bool:
        limit, resolved = limits.resolve_break_above, events[0]
        assert isinstance(resolved, BreakResolved)
        return limit is not None and resolved.at_stake > limit

    def decide(self, given: Given) -> Decision:
        """The end of the break; of a match that does not make it up, a break of what is left."""
        found = self.open_break(given)
        if isinstance(found, Rejection):
            return found
        expected = self._expected(given, found)
        if not self._allowed(found, expected):
            return self.impossible(found.code)
        settled = _sums(given, found)
        missing = found.code == BreakCode.MISSING_IN_LEDGER
        left = settled.gross - settled.resolved - (expected or 0)
        resolved = BreakResolved(
            break_id=self.break_id,
            processor=found.processor,
            payment_ref=found.payment_ref,
            kind=found.kind,
            code=found.code,
            gross=settled.suspense if missing else settled.gross,
            difference=left if self._is_compared(found) and not missing else found.difference,
            resolution=self.resolution,
            reason=self.reason_code,
        )
        if self.resolution != BreakResolution.MATCH or expected is None:
            return (resolved,)
        return resolved, *self._left(given, found, left)

    def _is_compared(self, found: Break) -> bool:
        """Whether its lines name something in the ledger, which may have changed since."""
        return found.payment_ref is not None and found.code != BreakCode.MISSING_IN_FILE

    def _expected(self, given: Given, found: Break) -> int | None:
        """What the ledger has by now of what the lines name."""
        if found.payment_ref is None or not self._is_compared(found):
            return None
        recorded = Recorded(given, found.processor, [(found.kind, found.payment_ref)])
        return recorded.expected(found.kind, found.payment_ref)

    def _allowed(self, found: Break, expected: int | None) -> bool:
        """Whether this is a way to end this break.

        A line that names nothing, or a refund's own reference, which older refunds are not found
        by, is matched at a person's word.
        """
        if self.resolution == BreakResolution.WRITE_OFF and found.kind == LineKind.ADJUSTMENT:
            return True
        named = found.payment_ref is not None and found.kind in (LineKind.PAYMENT, *CHARGEBACKS)
        if self.resolution == BreakResolution.MATCH and expected is None and named:
            return False
        return self.resolution in RESOLUTIONS[BreakCode(found.code)]

    def _left(self, given: Given, found: Break, left: int) -> tuple[Event, ...]:
        if not left:
            return ()
        broken = BreakOpened(
            file_sha256=found.file_sha256,
            processor=found.processor,
            payment_ref=found.payment_ref,
            kind=found.kind,
            gross=0,
            difference=left,
            code=BreakCode.AMOUNT_MISMATCH,
            break_id=f"{given.new_id}_1",
        )
        return (broken,)


@command
class AssignBreak(BreakCommand):
    """Say who looks after an open break."""

    name = "assign-break"
    roles = frozenset({"finance"})

    owner: Id

    def decide(self, given: Given) -> Decision:
        """The new owner; nothing where it is the old one."""
        found = self.open_break(given)
        if isinstance(found, Rejection):
            return found
        if found.owner == self.owner:
            return ()
        return (BreakAssigned(break_id=self.break_id, owner=self.owner),)


def _sums(given: Given, found: Break) -> Settled:
    """What lines said about the reference of a break, or the one line that it is of."""
    alone = Settled(gross=found.gross, suspense=found.suspense)
    if found.payment_ref is None or found.code == BreakCode.MISSING_IN_FILE:
        return alone
    key = f"{found.processor}:{found.kind}:{found.payment_ref}"
    settled = given.state(Settled, key)
    if found.kind != LineKind.PAYMENT:
        return settled
    return settled.with_numbered(given.state(SettledByNumber, found.payment_ref), found.processor)
