"""The v1 routes of passwords by mail, and the page that their links open (v1 2.1)."""

from quart import Quart, Response

from api.accounts.answers import StatusAnswer
from api.accounts.bodies import ForgottenBody, PasswordByMailBody
from api.accounts.reset_page import PAGE, POLICY
from api.accounts.service import Accounts
from api.describe import Doc
from api.http import json_answer, json_body, remote_address
from api.v1 import V1, caller, secured

_FORGOT = Doc(
    summary="Mail a link to set a new password",
    description="The answer is the same whether anybody has this address or not.",
    answer=StatusAnswer,
    body=ForgottenBody,
    problems=("bad_request", "feature_disabled", "rate_limited", "locked_out"),
)
_RESET = Doc(
    summary="Set the password by the token of a mail; works once, and ends all sessions",
    answer=StatusAnswer,
    body=PasswordByMailBody,
    problems=("bad_request",),
)
_MAIL_RESET = Doc(
    summary="Mail somebody a link to set their password",
    answer=StatusAnswer,
    right="users.admin",
    problems=("bad_request", "feature_disabled", "permission_denied", "user_not_found"),
)


class MailRoutes:
    """`/auth/forgot-password`, `/auth/reset-password`, `/users/{id}/reset-password-email`."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def register(self, v1: V1, quart: Quart) -> None:
        """Declare the routes."""
        v1.add("POST", "/auth/forgot-password", self.forgot, _FORGOT, public=True)
        v1.add("POST", "/auth/reset-password", self.reset, _RESET, public=True)
        mail = "/users/<int:user_id>/reset-password-email"
        v1.add("POST", mail, self.mail_reset, _MAIL_RESET)
        quart.add_url_rule("/reset-password", "reset password", self.page, methods=["GET"])

    async def forgot(self) -> Response:
        """A mail is under way, if there is anybody to get it."""
        body = await json_body(ForgottenBody)
        await self._accounts.forgot_password(body.email, remote_address())
        return json_answer({"status": "ok"})

    async def reset(self) -> Response:
        """The new password counts."""
        body = await json_body(PasswordByMailBody)
        await self._accounts.reset_password(body.token, body.new_password)
        return json_answer({"status": "ok"})

    async def mail_reset(self, user_id: int) -> Response:
        """A mail is under way."""
        await self._accounts.mail_reset(caller(), user_id)
        return json_answer({"status": "ok"})

    async def page(self) -> Response:
        """Where a new password is typed; the token stays in the browser until it is."""
        answer = secured(Response(PAGE, content_type="text/html; charset=utf-8"))
        answer.headers.remove("Content-Security-Policy")
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Cache-Control"] = "no-store"
        return answer
