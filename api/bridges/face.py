"""Plain HTTPS calls of agents: routes without v1's credentials, with v1's form of errors."""

from typing import Any

from quart import Quart, Response

from api.errors import Problem
from api.http import Unprocessable
from api.v1 import Handler, problem_answer, unprocessable_answer


def serve(app: Quart, method: str, path: str, handler: Handler) -> None:
    """Serve *handler* at *path*; what it raises is answered like a v1 route's."""

    async def view(**parameters: Any) -> Response:
        try:
            return await handler(**parameters)
        except Problem as problem:
            return problem_answer(problem)
        except Unprocessable as refused:
            return unprocessable_answer(refused)

    app.add_url_rule(path, f"bridge {method} {path}", view, methods=[method])
