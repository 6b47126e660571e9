"""`/api/users…`, where OctoPrint's users once were: 307 to `/api/access/users…`.

At the server's root the path is v1's, too; there the kind of credential decides (DESIGN 7).
"""

from quart import Quart, Response, request

from api.accounts.keys import TOKEN_START
from api.octoprint import cookies
from api.octoprint.addresses import SLUG_ROOT
from api.octoprint.pages import redirect
from api.octoprint.visitor import Visitors, given_key

_OLD, _NEW = "/api/users", "/api/access/users"


def register(quart: Quart, visitors: Visitors) -> None:
    """Send callers of the old address on before v1 or nobody answers them."""

    @quart.before_request
    async def old_users() -> Response | None:
        head, found, rest = request.path.partition(_OLD)
        if not found or (rest and not rest.startswith("/")):
            return None
        if head and (not head.startswith(SLUG_ROOT) or "/" in head[len(SLUG_ROOT) :]):
            return None
        if not head and not _is_octoprints(visitors):
            return None
        place = visitors.place(head)
        query = request.query_string.decode("latin-1")
        return redirect(f"{place.root}{_NEW}{rest}" + (f"?{query}" if query else ""), 307)


def _is_octoprints(visitors: Visitors) -> bool:
    """Whether the credential is a key of this face, or its session; v1's are told by their form."""
    key = given_key({})
    if key is None:
        return bool(cookies.cookie(visitors.place(""), cookies.SESSION))
    return bool(key) and not key.startswith(TOKEN_START) and "." not in key
