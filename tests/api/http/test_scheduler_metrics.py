"""What the scheduler tells is shown: success, lateness, events."""

from api.http.metrics import Metrics
from api.http.scheduler_metrics import SchedulerMetrics
from ledger.write.answer import Answer, AnsweredEvent


def metered(*types: str, status: int = 201, code: str | None = None) -> Answer:
    events = tuple(AnsweredEvent(1, "", kind, b"{}") for kind in types)
    return Answer(status=status, position=1, command="meter-call", events=events, code=code)


def test_what_was_sent_and_what_was_not() -> None:
    metrics = Metrics()
    figures = SchedulerMetrics(metrics)
    answers = [metered("block", "block"), metered("block", "end"), metered(status=409, code="OVER")]
    figures.sent("b", answers, late_s=1.5, answered_s=0.03)
    figures.interrupted("b")
    page = metrics.page().decode()
    sent = 'scheduled_commands_total{book="b",code="%s",command="meter-call",outcome="%s"}'
    for line in (
        f"{sent % ('', 'accepted')} 2.0",
        f"{sent % ('OVER', 'refused')} 1.0",
        'tokenledger_scheduled_events_total{book="b",type="block"} 3.0',
        'tokenledger_scheduled_events_total{book="b",type="end"} 1.0',
        'tokenledger_scheduled_answer_seconds_sum{book="b"} 0.03',
        'tokenledger_scheduled_late_seconds_bucket{book="b",le="1.0"} 0.0',
        'tokenledger_scheduled_late_seconds_bucket{book="b",le="2.0"} 1.0',
        'tokenledger_scheduling_interrupted_total{book="b"} 1.0',
    ):
        assert line in page
