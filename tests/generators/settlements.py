"""Random lines of settlement files: few names, so that lines come again and add up, or do not."""

from typing import Any

from hypothesis import strategies as st

from tests.generators.spending import Fields, Ref, amounts, merged, processors, ref, some, upcoming

payments = ref("payment", upcoming)
disputes = ref("dispute", upcoming)
line_refs = st.integers(1, 40).map(lambda number: f"txn_{number}")
fees = st.sampled_from([0, 0, 1, 15, 700, 1_500, -15])
names = st.sampled_from(["ab" * 32, "cd" * 32, "ef" * 32])


def taken(amount: int) -> int:
    """What a movement away from the processor's balance is written as."""
    return -amount


def _lines(kind: str, gross: st.SearchStrategy[int], *about: st.SearchStrategy[Any]) -> Fields:
    named = {} if not about else {"processor_ref": st.one_of(*about)}
    return some(
        {"fee": fees, "value_date": st.just("2026-11-19")},
        line_ref=line_refs,
        kind=st.just(kind),
        gross=gross,
        **named,
    )


PAYMENT = _lines("PAYMENT", amounts, payments)
line = st.one_of(
    PAYMENT,
    PAYMENT,
    _lines("PAYMENT", amounts),
    _lines("REFUND", amounts.map(taken), payments, ref("report")),
    _lines("CHARGEBACK", amounts.map(taken), payments, disputes),
    _lines("CHARGEBACK_REVERSAL", amounts, payments, disputes),
    _lines("FEE", fees.map(taken), payments, disputes),
    _lines("FEE", fees.map(taken)),
    _lines("ADJUSTMENT", amounts | amounts.map(taken), payments),
    _lines("PAYOUT", amounts.map(taken)),
)
pieces = st.lists(line, max_size=4, unique_by=lambda one: str(one["line_ref"]))
broken = st.fixed_dictionaries(
    {"break": ref("break") | st.builds(Ref, st.just("payment"), upcoming, st.just("missing-"))}
)

SETTLEMENTS: dict[str, Fields] = {
    "import-settlement": some(
        {"payout": amounts, "fee": fees},
        processor=processors,
        file_sha256=names,
        first_line=st.integers(1, 3),
        lines=pieces,
    ),
    "resolve-break": merged(
        broken,
        st.fixed_dictionaries(
            {
                "resolution": st.sampled_from(["MATCH", "RETURN", "WRITE_OFF", "DISMISS"]),
                "reason_code": st.just("CHECKED"),
            }
        ),
    ),
    "assign-break": merged(
        broken, st.fixed_dictionaries({"owner": st.sampled_from(["fay", "bob"])})
    ),
}
"""What may be sent, by command."""

# The same and what they are about, of so few amounts that lines often add up.
_few = st.sampled_from([100, 200, 300])
_cost = st.sampled_from([0, 10])
_recent = ref("payment", st.sampled_from([-1, 0, 0, 0, 1]))
_dispute = ref("dispute", st.sampled_from([-1, 0, 0, 1]))
_many = st.integers(1, 2_000).map(lambda number: f"dense_{number}")
_stripe: dict[str, Any] = {"processor": st.just("stripe"), "processor_ref": st.just("next")}


def _dense(
    kind: str,
    gross: st.SearchStrategy[int],
    *about: st.SearchStrategy[Any],
    fee: st.SearchStrategy[int] = _cost,
) -> Fields:
    fields = {"line_ref": _many, "kind": st.just(kind), "gross": gross, "fee": fee}
    return st.fixed_dictionaries(fields | ({"processor_ref": st.one_of(*about)} if about else {}))


_dense_line = st.one_of(
    *[_dense("PAYMENT", _few, _recent)] * 3,
    _dense("REFUND", _few.map(taken), _recent, ref("report")),
    _dense("CHARGEBACK", _few.map(taken), _recent, _dispute),
    _dense("CHARGEBACK_REVERSAL", _few, _recent, _dispute, fee=_cost.map(taken)),
    _dense("CHARGEBACK_REVERSAL", _few, _recent, _dispute),
    _dense("FEE", _cost.map(taken) | _cost, _dispute),
    _dense("ADJUSTMENT", _few),
    _dense("PAYOUT", _few.map(taken)),
)
_card = {"funding": st.just("CARD"), "user": st.just("ann"), "creator": st.just("carl"), **_stripe}
_bank = {"amount": _few, "fee": st.sampled_from([0, 10, 20]), "final": st.booleans(), **_stripe}
_settling: list[tuple[str, Fields]] = [
    ("send-tip", st.fixed_dictionaries({"amount": _few, **_card})),
    (
        "import-settlement",
        some(
            {"payout": _few, "fee": st.sampled_from([10, -10])},
            processor=st.just("stripe"),
            file_sha256=names,
            lines=st.lists(_dense_line, max_size=3, unique_by=lambda one: str(one["line_ref"])),
        ),
    ),
    ("record-refund", st.fixed_dictionaries({"sale": _recent, "cumulative": _few, **_stripe})),
    ("open-dispute", st.fixed_dictionaries({"payment_ref": _recent, **_bank})),
    (
        "close-dispute",
        st.fixed_dictionaries(
            {"dispute": _dispute, "outcome": st.sampled_from(["WON", "LOST"]), **_stripe}
        ),
    ),
    (
        "resolve-break",
        st.fixed_dictionaries(
            {
                "break": ref("break", st.integers(0, 2)),
                "resolution": st.sampled_from(["MATCH", "RETURN", "WRITE_OFF", "DISMISS"]),
                "reason_code": st.just("CHECKED"),
            }
        ),
    ),
    ("assign-break", SETTLEMENTS["assign-break"]),
]
_often = {"import-settlement": 6, "resolve-break": 3, "close-dispute": 2}
_weighted = [one for one in _settling for _ in range(_often.get(one[0], 1))]
settling: st.SearchStrategy[tuple[str, dict[str, Any], str]] = st.sampled_from(_weighted).flatmap(
    lambda one: st.tuples(st.just(one[0]), one[1], st.just("amy"))
)
