"""What is answered when no route could: unknown paths, a lost database, our own mistakes."""

import logging

from quart import Quart, Response, request
from tortoise.exceptions import DBConnectionError, OperationalError
from werkzeug.exceptions import HTTPException

from api.db import HalfDone, OutcomeUnknown, Unstorable
from api.errors import Invalid, Problem, Unavailable
from api.http import json_answer
from api.octoprint.face import OctoPrintFace, refusal_of
from api.octoprint.wire import refuse
from api.readiness import Readiness, is_full
from api.v1 import http_answer, problem_answer, secured

_log = logging.getLogger("gantry.api")

_AWAY = "The database cannot be used at the moment; ask again soon."
_FULL = "The disk of the database is full: make room on it, then ask again."
_HALF_DONE = (
    "The database went away when this, or a part of it, was done already. "
    "Look before you ask again."
)
_UNKNOWN = (
    "The database went away while this was written down, and nobody can say whether it was. "
    "Look before you ask again."
)


def register_errors(quart: Quart, octoprint: OctoPrintFace, readiness: Readiness) -> None:
    """Answer in the dialect of the path, and never with a trace."""

    @quart.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Response:
        return octoprint.refusal(request.path, error) or http_answer(error)

    def problem_of(problem: Problem) -> Response:
        if octoprint.owns(request.path):
            return refusal_of(problem)
        return secured(problem_answer(problem))

    async def unavailable(error: Exception) -> Response:
        _log.error("%s %s: the database: %s", request.method, request.path, error)
        readiness.failed(error)
        return problem_of(Unavailable(_why(error, request.method), code="storage_unavailable"))

    async def unstorable(error: Exception) -> Response:
        _log.warning("%s %s: what came fits no column: %s", request.method, request.path, error)
        return problem_of(Invalid("A value is too large or cannot be stored; nothing was changed."))

    @quart.errorhandler(Unavailable)
    async def not_yet(error: Unavailable) -> Response:
        return problem_of(error)

    for kind in (OperationalError, DBConnectionError):
        quart.register_error_handler(kind, unavailable)
    quart.register_error_handler(Unstorable, unstorable)

    @quart.errorhandler(Exception)
    async def failed(error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.path, exc_info=error)
        detail = "Internal server error"
        facts = {"code": "internal_error", "detail": detail, "retriable": True}
        if octoprint.owns(request.path):
            return refuse(detail, 500)
        return json_answer({"detail": detail, "error": facts}, 500)


def _why(error: Exception, method: str) -> str:
    """Why the database did not do it, and what to do, for who asked."""
    if isinstance(error, HalfDone) and method not in ("GET", "HEAD"):
        return _HALF_DONE
    if isinstance(error, OutcomeUnknown):
        return _UNKNOWN
    return _FULL if is_full(error) else _AWAY
