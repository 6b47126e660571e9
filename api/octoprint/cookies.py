"""The cookies of one OctoPrint and the CSRF double submit over them (OctoPrint contract, 2).

Their names end in ``_P<port>`` and, below a script root, ``_R<root>``, so that many OctoPrints on
one host keep apart. A cookie that comes twice counts as absent: somebody planted one of them.
"""

import hmac
from datetime import datetime

from quart import Response, request

from api.octoprint.place import Place

SESSION = "session"
CSRF = "csrf_token"
REMEMBER = "remember_token"
ACTIVE_LOGOUT = "active_logout"
CSRF_HEADER = "X-CSRF-Token"


def cookie(place: Place, name: str) -> str:
    """The value of the cookie *name* of this OctoPrint; "" without it, or when it comes twice."""
    found = request.cookies.getlist(name + place.cookie_suffix)
    return found[0] if len(found) == 1 else ""


def submitted_twice(place: Place, token: str) -> bool:
    """Whether *token* (of the header or of a form) is what the CSRF cookie says."""
    return bool(token) and hmac.compare_digest(token.encode(), cookie(place, CSRF).encode())


def set_cookie(
    response: Response, place: Place, name: str, value: str, expires: datetime | None = None
) -> None:
    """Set a cookie of this OctoPrint; only the CSRF token can be read by scripts."""
    response.set_cookie(
        name + place.cookie_suffix,
        value,
        expires=expires,
        path=place.cookie_path,
        secure=place.secure,
        httponly=name in (SESSION, REMEMBER),
        samesite="Lax",
    )


def drop_cookie(response: Response, place: Place, name: str) -> None:
    """Delete a cookie of this OctoPrint; the mark of a logout under its plain name, too."""
    response.delete_cookie(name + place.cookie_suffix, path=place.cookie_path)
    if name == ACTIVE_LOGOUT:
        response.delete_cookie(name, path=place.cookie_path)
