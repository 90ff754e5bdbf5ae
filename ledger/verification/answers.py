"""Whether what a receipt says was answered can have been answered."""

from datetime import datetime

import msgspec

from domain.rejections import REASONS
from ledger.write.answer import Answer, ReleasedNotice


class _Accepted(msgspec.Struct):
    """What an answer without events says."""

    command: str
    recorded_at: datetime | None = None
    released: list[ReleasedNotice] = []


def without_events(position: int, status: int, code: str | None, body: bytes | None) -> str | None:
    """What is wrong with a receipt that claims no event; None if nothing is."""
    if body is None:
        return "no body"
    try:
        return (
            _rejected(status, code, body) if status >= 400 else _bare(position, status, code, body)
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return f"a body that is no answer: {error}"


def _rejected(status: int, code: str | None, body: bytes) -> str | None:
    document = msgspec.json.decode(body)
    if not isinstance(document, dict) or msgspec.json.encode(document) != body:
        return "a body that is no problem document"
    said = document.get("code"), document.get("status")
    if said != (code, status):
        return f"a body of code {said[0]} and status {said[1]}"
    reason = REASONS.get(code or "")
    if reason is not None and reason.status != status:
        return f"{code} is answered with {reason.status}"
    if document.get("type") != f"urn:tokenledger:problem:{(code or '').lower().replace('_', '-')}":
        return f"a body of type {document.get('type')}"
    return None


def _bare(position: int, status: int, code: str | None, body: bytes) -> str | None:
    if status != (201 if code is None else 202):
        return f"status {status} with code {code}"
    said = msgspec.json.decode(body, type=_Accepted)
    answer = Answer(status, position, said.command, said.recorded_at, code=code)
    if answer.body != body:
        return f"another body than {answer.body.decode()}"
    return None


def with_events(answer: Answer, body: bytes) -> str | None:
    """What is wrong with the body kept of an answer whose events released notices."""
    try:
        said = msgspec.json.decode(body, type=_Accepted)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return f"a body that is no answer: {error}"
    answer.released = said.released
    return None if answer.body == body else f"another body than {answer.body.decode()}"


def released_by(body: bytes) -> list[ReleasedNotice]:
    """The notices that an answer says it released."""
    try:
        return msgspec.json.decode(body, type=_Accepted).released
    except msgspec.MsgspecError:
        return []
