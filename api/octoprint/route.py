"""A row of the OctoPrint face's one table of routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quart import Response

Seen = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    *permission*: what the caller needs; None: the handler checks that itself. *visits* False: the
    handler gets the script root alone and finds out who asks. *stops*: what is asked there may be a
    stop, which does not wait for a database that is away.
    """

    method: str
    path: str
    handler: Seen
    permission: str | None = None
    visits: bool = True
    stops: bool = False
