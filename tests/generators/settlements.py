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
    _lines("REFUND", amounts.map(taken), payments, ref("other")),
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
