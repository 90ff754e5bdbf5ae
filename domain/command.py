"""Commands: what somebody wants. One class holds its fields, who may send it and its decision.

`decide` is pure and total: events, a suspended notice, or a rejection. It raises only for bugs
(and MissingState, which asks the caller to load one more entity and to decide again).
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, ClassVar, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from domain.accounts import Assets
from domain.entity import LoadedStates, MissingState, State, States
from domain.event import Event
from domain.fields import Id, Instant, Labels
from domain.policy import PolicyVersion, SecondPerson, in_force
from domain.rejections import Rejection

S = TypeVar("S", bound=State)


class Suspended(msgspec.Struct, frozen=True):
    """A notice that contradicts policy or state: kept, its money in `suspense`, for a person."""

    code: str
    events: tuple[Event, ...]


#: How the tags begin that parked notices await; the last two, only those of earlier releases.
AWAITED = (
    *("payment:", "refund:", "subscription:", "dispute_notice:", "offer:"),
    *("dispute:", "authorization:"),
)


class Parked(msgspec.Struct, frozen=True):
    """A notice about something that has not arrived yet: kept until an event has this tag."""

    awaits: str

    def __post_init__(self) -> None:
        assert self.awaits.startswith(AWAITED), self.awaits


class Ignored(msgspec.Struct, frozen=True):
    """A notice that says nothing new: it moves nothing and is kept, so that it can be seen.

    `events` remember that it was heard of, for later notices may speak of it.
    """

    code: str
    events: tuple[Event, ...]


Decision = tuple[Event, ...] | Suspended | Parked | Ignored | Rejection


class Given(msgspec.Struct, frozen=True):
    """Everything a decision may depend on besides the command itself."""

    states: States
    policies: tuple[PolicyVersion, ...]
    #: The one of them that is in force now.
    policy: PolicyVersion | None
    #: The database's clock, read under the lock: becomes `recorded_at`.
    now: datetime
    #: The id of the first event, 32 hex digits: what the command creates is named by it.
    new_id: str
    #: On whose behalf the command runs.
    actor: str
    assets: Assets
    #: The date of `now` in the book's time zone.
    today: date = date.min
    #: Drawn anew for a command that brings texts along: what hashes them with.
    salt: str = ""
    #: Who sent the command, with a key of their own, and in which role; "" where nobody did.
    principal: str = ""
    role: str = ""

    def state(self, kind: type[S], key: str) -> S:
        """The current state of the entity `key`, whose id stands without its kind."""
        return self.states[f"{kind.KIND}:{key}"]  # type: ignore[return-value]

    def states_of(self, kind: type[S], keys: Iterable[str]) -> dict[str, S]:
        """The current states of several entities; those that are missing are asked for at once."""
        found: dict[str, S] = {}
        missing: list[str] = []
        for key in keys:
            try:
                found[key] = self.state(kind, key)
            except MissingState as lacking:
                missing += lacking.keys
        if missing:
            raise MissingState(*missing)
        return found

    def policy_at(self, instant: datetime) -> PolicyVersion | None:
        """The policy that was in force at `instant`."""
        return in_force(self.policies, instant)


class Command(BaseModel):
    """The fields every command may carry besides its own."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: ClassVar[str]
    roles: ClassVar[frozenset[str]] = frozenset({"service"})
    #: The fields that name a wallet or a creator, with the kind of state.
    subject_fields: ClassVar[tuple[tuple[str, str], ...]] = ()
    #: Whether it asks itself, with everything else about its parties, whether one was erased.
    asks_after_parties: ClassVar[bool] = False
    #: Whether only people decide this: a machine may request, never approve.
    for_people: ClassVar[bool] = False
    #: Whether a policy may ask for a second person: then `second_person` says when.
    may_need_two: ClassVar[bool] = False
    #: The fields with free text: kept outside the log, which holds only its salted hash.
    text_fields: ClassVar[tuple[str, ...]] = ()
    #: Whether it may make a list of a state longer that nothing else bounds.
    grows: ClassVar[bool] = True
    #: Whether each is a notice: a fact, of which nobody asks whether it names somebody erased.
    is_notice: ClassVar[bool] = False
    #: Whether `decide` alone decides on it, since none of what else commands are asked applies.
    decides_alone: ClassVar[bool] = False

    occurred_at: Instant | None = Field(
        default=None,
        description="When it happened; by default, when it is recorded. A request that claims "
        "over 5 s more than the server's clock is refused; a notice counts as of now then.",
    )
    on_behalf_of: Id | None = Field(
        default=None,
        description="For whom the sender acts: recorded as the actor. Only for the role service.",
    )
    correlation_id: Id | None = Field(
        default=None,
        description="Kept with the event, to find together what belongs together; "
        "by default, that of the header X-Correlation-Id.",
    )
    labels: Labels | None = Field(
        default=None,
        description="At most 8 pairs of ids to find and sum by, like "
        '`{"stream": "s1", "campaign": "c7"}`. Refunds and disputes carry those of their sale.',
    )

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The fields as clients name them: one whose name is a word of Python has an alias."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    def notice_id(self) -> tuple[str, str] | None:
        """(processor, processor_ref) of a notice; None for a request."""
        return None

    def problems(self) -> Iterable[tuple[str, str]]:
        """What is wrong between fields: (JSON pointer, message) each."""
        return ()

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """Keys of all states that the decision will need, as far as fields and `states` tell.

        At first nothing is loaded. Whoever looks for a state then is asked again once it is there,
        until it names nothing new; the others are asked once.
        """
        return ()

    def subjects(self) -> tuple[str, ...]:
        """The tags of the wallets and creators that its fields name: none of them may be erased."""
        return tuple(f"{kind}:{getattr(self, field)}" for field, kind in self.subject_fields)

    def second_person(self, given: Given, limits: SecondPerson, events: tuple[Event, ...]) -> bool:
        """Whether what was decided, at least one event, needs somebody else's approval."""
        raise NotImplementedError(type(self).__name__)

    def decide(self, given: Given) -> Decision:
        """Events, a notice that is suspended, parked or ignored, or a rejection."""
        raise NotImplementedError(type(self).__name__)


COMMANDS: dict[str, type[Command]] = {}
SUBJECT_FIELDS = (("user", "wallet"), ("creator", "creator"))
C = TypeVar("C", bound=type[Command])


def command(cls: C) -> C:
    """Register a command class; its route, its documentation and its schema follow from it."""
    COMMANDS[cls.name] = cls
    if not cls.asks_after_parties:
        cls.subject_fields = tuple(
            pair for pair in SUBJECT_FIELDS if pair[0] in cls.__pydantic_fields__
        )
    names_nobody = not cls.subject_fields and cls.subjects is Command.subjects
    asks_nobody = cls.asks_after_parties or cls.is_notice or names_nobody
    cls.decides_alone = not cls.grows and not cls.may_need_two and asks_nobody
    return cls


class FormerRequest(Command):
    """The fields that a command had in an earlier release and has no more.

    It is read only to find the answer that such a request got then; it is never decided.
    """


FORMER: dict[str, type[FormerRequest]] = {}
F = TypeVar("F", bound=type[FormerRequest])


def former(cls: F) -> F:
    """Register the former fields of a command."""
    FORMER[cls.name] = cls
    return cls


def explicit_fields(value: Any) -> Any:
    """The explicitly set, validated fields of a model, for encoding."""
    if isinstance(value, BaseModel):
        fields = value.__dict__
        return {name: fields[name] for name in value.model_fields_set}
    raise TypeError(f"{type(value).__name__} has no place in a command")
