"""Problem documents (RFC 9457): the one shape of every rejection, denial, outage and fault.

The framework's own errors pass through here too, so that a client needs to know one shape only. A
fault shows nothing of the inside.
"""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.http.headers import RequestHeaders, headers_of
from api.service import DatabaseAway
from domain.catalogue import Problem
from domain.rejections import (
    INVALID_REQUEST,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Reason,
    Rejection,
    reject,
)
from ledger import logs
from ledger.write.admission import Denied
from ledger.write.answer import problem
from ledger.write.unavailable import Unavailable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

#: Reasons that only the framework gives.
_NOT_FOUND = Reason("NOT_FOUND", 404, "Not found", "there is nothing at this address")
_METHOD_NOT_ALLOWED = Reason(
    "METHOD_NOT_ALLOWED", 405, "Method not allowed", "this address does not answer {method}"
)
_FAULT = Reason("INTERNAL", 500, "Internal error", "the service failed; the log says why")

log = logs.get_logger(__name__)


def refusal(
    rejection: Rejection,
    correlation_id: str,
    *,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that tells a rejection or a denial."""
    denied = Denied(rejection, list(problems))
    return document(rejection.reason.status, denied.document(correlation_id), headers=headers)


def document(status: int, body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
    """A problem document that is rendered already, with the headers that its status asks for."""
    more = dict(headers or {})
    if status in {429, 503}:
        more.setdefault("Retry-After", str(RETRY_AFTER_S))
    if status == 401:
        more["WWW-Authenticate"] = "Bearer"
    if status == 413:  # the rest of the body is not going to be read
        more["Connection"] = "close"
    return Response(body, status, more or None, MEDIA_TYPE)


def unavailable(away: Unavailable, correlation_id: str) -> Response:
    """503: nothing can be written at present; the same request may be sent again."""
    return refusal(
        reject(UNAVAILABLE, what=away.reason),
        correlation_id,
        headers={"Retry-After": str(away.retry_after_s)},
    )


def repeated_header(headers: RequestHeaders) -> Response:
    """400: a header that means one thing stands more than once."""
    place = Problem(f"/headers/{headers.repeated}", "stands more than once")
    return refusal(reject(INVALID_REQUEST, count=1), headers.correlation_id, problems=[place])


def database_away(away: DatabaseAway, correlation_id: str) -> Response:
    """503: nothing can be looked up at present."""
    return refusal(reject(UNAVAILABLE, what=away.what), correlation_id)


def fault(correlation_id: str) -> Response:
    """500: a bug of ours. The service's own log says what happened, the answer does not."""
    return Response(problem(reject(_FAULT), correlation_id), 500, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make the framework's own errors problem documents."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Denied, _on_denied)
    app.add_exception_handler(DatabaseAway, _on_away)
    app.add_exception_handler(Exception, _on_fault)


def correlation_id(request: Request) -> str:
    """The id under which this request appears in answers and logs."""
    return headers_of(request.scope).correlation_id


async def _on_denied(request: Request, error: Exception) -> Response:
    assert isinstance(error, Denied)
    code = error.rejection.reason.code
    if error.rejection.reason not in {INVALID_REQUEST, UNAUTHENTICATED}:  # not of strangers
        log.info("query refused", code=code, path=request.url.path)
    return refusal(error.rejection, correlation_id(request), problems=error.problems)


async def _on_fault(request: Request, _: Exception) -> Response:
    return fault(correlation_id(request))


async def _on_away(request: Request, error: Exception) -> Response:
    assert isinstance(error, DatabaseAway)
    return database_away(error, correlation_id(request))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        rejection = reject(_NOT_FOUND)
    elif error.status_code == 405:
        rejection = reject(_METHOD_NOT_ALLOWED, method=request.method)
    else:
        rejection = reject(_FAULT)
    return refusal(rejection, correlation_id(request), headers=error.headers)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        Problem("".join(f"/{part}" for part in e["loc"][1:]), e["msg"]) for e in error.errors()
    ]
    return refusal(
        reject(INVALID_REQUEST, count=len(problems)),
        correlation_id(request),
        problems=problems,
    )
