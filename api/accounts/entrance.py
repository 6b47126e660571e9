"""How a browser comes in: what it sends along with a login, and the cookies that it gets."""

from quart import Response, request

from api.accounts.service import Accounts, CameWith, Login
from api.config import Settings
from api.hosts import OwnHosts
from api.http import json_answer
from api.v1 import SESSION_COOKIE, check_origin

#: Says that somebody has logged in there before, and nothing else.
DEVICE_COOKIE = "device"
DEVICE_COOKIE_S = 180 * 24 * 3600


class Entrance:
    """The cookies of the v1 face."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts = accounts
        self._settings = settings

    def check(self) -> None:
        """Nobody logs a browser in from another site. Raises `Forbidden`."""
        check_origin(OwnHosts(self._settings.public_url))

    def came_with(self) -> CameWith:
        """What the request brought."""
        cookies = request.cookies.getlist(SESSION_COOKIE)
        return CameWith(
            session=cookies[0] if len(cookies) == 1 else "",
            device=request.cookies.get(DEVICE_COOKIE, ""),
        )

    def logged_in(self, login: Login) -> Response:
        """The token pair and the cookies of a new session."""
        return self.give_cookies(secret_answer(token_pair(login)), login)

    def give_cookies(self, answer: Response, login: Login) -> Response:
        """*answer* with the cookies of a new session."""
        mark = self._accounts.device_mark(login.principal)
        for name, value, life_s in (
            (SESSION_COOKIE, login.token, self._settings.session_hours * 3600),
            (DEVICE_COOKIE, mark, DEVICE_COOKIE_S),
        ):
            answer.set_cookie(
                name,
                value,
                max_age=life_s,
                path="/",
                secure=self.is_secure(),
                httponly=True,
                samesite="Strict",
            )
        return answer

    def leave(self, answer: Response) -> Response:
        """*answer* that takes the session's cookie away."""
        answer.delete_cookie(
            SESSION_COOKIE, path="/", secure=self.is_secure(), httponly=True, samesite="Strict"
        )
        return answer

    def is_secure(self) -> bool:
        """Whether cookies are for https alone."""
        return request.is_secure or self._settings.public_url.startswith("https://")


def token_pair(login: Login) -> dict[str, object]:
    """How v1 hands a session over."""
    return {"access_token": login.token, "token_type": "bearer"}


def secret_answer(data: dict[str, object]) -> Response:
    """An answer that no cache may keep."""
    return json_answer(data, headers={"Cache-Control": "no-store"})
