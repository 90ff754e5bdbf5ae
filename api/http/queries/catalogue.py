"""All questions, and how a row becomes a route: a new read model adds its `QUESTIONS` here."""

from inspect import Parameter, Signature
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.http import openapi
from api.http.queries import (
    account_tree,
    book,
    calls,
    consistency,
    creators,
    daily,
    earnings,
    entitlements,
    events,
    explain,
    general_journal,
    leaders,
    liability,
    notices,
    offers,
    parked_messages,
    registers,
    revenue,
    risk,
    statements,
    status,
    tiers,
    trial_balance,
    wallets,
)
from api.http.queries.parameters import MinPosition
from api.http.queries.question import Question
from api.http.queries.reader import QueryReader

QUESTIONS: tuple[Question, ...] = (
    *book.QUESTIONS,
    *wallets.QUESTIONS,
    *earnings.QUESTIONS,
    *creators.QUESTIONS,
    *entitlements.QUESTIONS,
    *trial_balance.QUESTIONS,
    *account_tree.QUESTIONS,
    *statements.QUESTIONS,
    *general_journal.QUESTIONS,
    *daily.QUESTIONS,
    *events.QUESTIONS,
    *offers.QUESTIONS,
    *notices.QUESTIONS,
    *risk.QUESTIONS,
    *tiers.QUESTIONS,
    *revenue.QUESTIONS,
    *registers.QUESTIONS,
    *liability.QUESTIONS,
    *leaders.QUESTIONS,
    *calls.QUESTIONS,
    *parked_messages.QUESTIONS,
    *consistency.QUESTIONS,
    *status.QUESTIONS,
    *explain.QUESTIONS,
)

#: What questions are answered with, and the bodies that some are asked with.
SHAPES: tuple[type[BaseModel], ...] = tuple(
    shape for each in QUESTIONS for shape in (each.schema, each.body) if shape is not None
)


def install(app: FastAPI, reader: QueryReader) -> None:
    """Add a route for every question."""
    for question in QUESTIONS:
        _add_route(app, reader, question)


def _add_route(app: FastAPI, reader: QueryReader, question: Question) -> None:
    async def answer(
        request: Request, book: str, *, min_position: int, **parameters: Any
    ) -> Response:
        return await reader.answer(request, book, question, parameters, min_position=min_position)

    answer.__signature__ = _signature(question)  # type: ignore[attr-defined]
    app.add_api_route(
        openapi.BOOK_PATH + question.path,
        answer,
        name=question.name,
        operation_id=question.name,
        methods=[question.method],
        summary=question.summary,
        description=question.description,
        tags=["queries"],
        response_class=Response,
        responses=openapi.question_responses(
            question.schema, *question.statuses, *(() if question.body is None else (413,))
        ),
        openapi_extra=openapi.question_extra(question.body),
    )


def _signature(question: Question) -> Signature:
    """What the framework reads from a request: the query's parameters between our own."""
    named = Parameter.KEYWORD_ONLY
    parameters = [
        Parameter("request", named, annotation=Request),
        Parameter("book", named, annotation=str),
        *(parameter.replace(kind=named) for parameter in question.parameters),
        Parameter("min_position", named, annotation=MinPosition, default=0),
    ]
    return Signature(parameters, return_annotation=Response)
