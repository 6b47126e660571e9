"""The v1 routes of what is a person's own, and of people who come as a list (v1 2.1)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from quart import Response, request

from api.accounts.answers import ExportAnswer, ImportAnswer, UserErasedAnswer
from api.accounts.bodies import ThemeBody
from api.accounts.quota_routes import quota_view
from api.accounts.quotas import Quotas
from api.accounts.service import Accounts
from api.accounts.views import session_view, token_view, user_view
from api.clock import iso
from api.describe import Doc
from api.errors import Invalid
from api.http import json_answer, json_body
from api.principal import Principal
from api.uploads import multipart
from api.v1 import V1, caller

MAX_FILE_BYTES = 1024 * 1024
_THEME = Doc(
    summary="How the caller's dashboard looks, as it was put",
    answer=dict[str, str | bool | int | float | None],
    right="self.read",
)
_SET_THEME = Doc(
    summary="Keep how the caller's dashboard looks",
    answer=dict[str, str | bool | int | float | None],
    body=ThemeBody,
    right="self.write",
    problems=("bad_request",),
)
_EXPORT = Doc(
    summary="What is kept of a person: one's own, or anybody's for an admin",
    answer=ExportAnswer,
    right="self.read",
    problems=("permission_denied", "user_not_found"),
)
_ERASE = Doc(
    summary="Forget who a person is",
    description="No name, address or key is left. Jobs stay; so does the audit trail, as it is.",
    answer=UserErasedAnswer,
    right="users.admin",
    problems=("bad_request", "last_admin", "user_not_found"),
)
_IMPORT = Doc(
    summary="Add people from a CSV file: username, email, password, role",
    description="At most 200. Names that are taken are skipped; role is operator without one.",
    answer=ImportAnswer,
    right="users.admin",
    form={
        "multipart/form-data": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "format": "binary"}},
        }
    },
    problems=("bad_request", "too_large", "unsupported_media_type"),
)


class Submitted(Protocol):
    """A job, as far as it is exported."""

    id: int
    item_name: str
    state: str
    created_at: datetime


class Entry(Protocol):
    """An entry of the audit trail."""

    at: datetime
    action: str
    entity_type: str
    entity_id: str
    remote_address: str


#: (who asks, whose) -> theirs.
JobsOf = Callable[[Principal, int], Awaitable[Sequence[Submitted]]]
ActsOf = Callable[[Principal, int], Awaitable[Sequence[Entry]]]
#: Whose -> what they chose to hear of, as it is shown.
WishesOf = Callable[[int], Awaitable[Sequence[dict[str, Any]]]]


class PersonalRoutes:
    """`/auth/me/theme`, `/users/{id}/export`, `/users/{id}/erase`, `/users/import`."""

    def __init__(
        self,
        accounts: Accounts,
        quotas: Quotas,
        jobs_of: JobsOf,
        acts_of: ActsOf,
        wishes_of: WishesOf,
    ) -> None:
        self._accounts = accounts
        self._quotas = quotas
        self._jobs_of = jobs_of
        self._acts_of = acts_of
        self._wishes_of = wishes_of

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/auth/me/theme", self.theme, _THEME)
        v1.add("PUT", "/auth/me/theme", self.set_theme, _SET_THEME)
        v1.add("GET", "/users/<int:user_id>/export", self.export, _EXPORT)
        v1.add("DELETE", "/users/<int:user_id>/erase", self.erase, _ERASE)
        v1.add("POST", "/users/import", self.take, _IMPORT)

    async def theme(self) -> Response:
        """How the caller's dashboard looks."""
        return json_answer(dict(await self._accounts.theme(caller())))

    async def set_theme(self) -> Response:
        """The same, from now on."""
        theme = (await json_body(ThemeBody)).root
        await self._accounts.set_theme(caller(), theme)
        return json_answer(theme)

    async def export(self, user_id: int) -> Response:
        """Everything that is kept of a person."""
        by = caller()
        kept = await self._accounts.kept_of(by, user_id)
        jobs = await self._jobs_of(by, user_id)
        acts = await self._acts_of(by, user_id)
        document = {
            "exported_at": iso(kept.at),
            "user": user_view(kept.user),
            "jobs_submitted": [_job(one) for one in jobs],
            "audit_log_entries": [_act(one) for one in acts],
            "active_sessions": [session_view(one, by.credential_id) for one in kept.sessions],
            "api_tokens": [token_view(one) for one in kept.tokens],
            "settings": kept.user.settings,
            "alert_preferences": await self._wishes_of(user_id),
            "quota_usage": quota_view(await self._quotas.of_person(by, user_id)),
        }
        name = f'attachment; filename="user-{user_id}.json"'
        return json_answer(document, headers={"Content-Disposition": name})

    async def erase(self, user_id: int) -> Response:
        """Nobody can tell any more who it was."""
        name = await self._accounts.erase_user(caller(), user_id)
        return json_answer({"status": "erased", "message": f"Who this was is forgotten: {name}."})

    async def take(self) -> Response:
        """People from a file."""
        by = caller()
        by.require("users.admin")
        found = await self._accounts.import_users(by, await _file())
        errors = [{"row": row, "reason": reason} for row, reason in found.errors]
        return json_answer({"created": found.created, "skipped": found.skipped, "errors": errors})


async def _file() -> str:
    """The text of the part `file`. Raises `Invalid`."""
    async for part in await multipart(request, MAX_FILE_BYTES):
        if part.name == "file":
            return await part.read_text(MAX_FILE_BYTES)
    raise Invalid("The form has no part `file`.")


def _job(job: Submitted) -> Mapping[str, Any]:
    return {
        "id": job.id,
        "item_name": job.item_name,
        "status": str(job.state),
        "created_at": iso(job.created_at),
    }


def _act(entry: Entry) -> Mapping[str, Any]:
    return {
        "timestamp": iso(entry.at),
        "action": entry.action,
        "entity_type": entry.entity_type,
        "entity_id": entry.entity_id,
        "ip_address": entry.remote_address,
    }
