"""The v1 routes of people, organizations (also as groups), everybody's sessions
(v1 2.1, 2.2).
"""

from typing import Annotated

from pydantic import Field
from quart import Response

from api.accounts.answers import (
    AnySessionAnswer,
    GroupAnswer,
    OrganizationAnswer,
    OrganizationCreatedAnswer,
    OrganizationSettingsAnswer,
    StatusAnswer,
    UserAnswer,
    UserCreatedAnswer,
    UserDeletedAnswer,
    UserUpdatedAnswer,
)
from api.accounts.bodies import (
    MemberBody,
    OrganizationBody,
    OrganizationChangeBody,
    OrganizationSettingsBody,
    UserBody,
    UserChangeBody,
)
from api.accounts.people import NewUser, UserChange, checked_role
from api.accounts.service import Accounts
from api.accounts.views import (
    counted,
    group_view,
    organization_view,
    session_view,
    user_view,
)
from api.describe import Doc, Query
from api.http import MAX_ID, id_query, json_answer, json_body, paging, remote_address
from api.v1 import V1, caller

_OK = {"status": "ok"}
_MISSING = ("organization_not_found",)
_ORG = Query(
    name="org_id",
    type=Annotated[int, Field(ge=0, le=MAX_ID)],
    description="Only people of this organization, for a superadmin",
)
_USERS = Doc(
    summary="The people of the organization; a superadmin sees all",
    answer=list[UserAnswer],
    right="users.read",
    query=(_ORG,),
    paged=True,
)
_ADD_USER = Doc(
    summary="Add a person",
    answer=UserCreatedAnswer,
    body=UserBody,
    right="users.admin",
    problems=("bad_request", "name_taken", "feature_disabled", *_MISSING),
)
_PATCH_USER = Doc(
    summary="Change a person",
    description="Their own password and e-mail; whatever else takes `users.admin`.",
    answer=UserUpdatedAnswer,
    body=UserChangeBody,
    right="self.write",
    problems=(
        *("bad_request", "name_taken", "last_admin", "permission_denied", "reauth_required"),
        *("wrong_password", "rate_limited", "locked_out", "user_not_found", *_MISSING),
    ),
)
_DELETE_USER = Doc(
    summary="Remove a person",
    answer=UserDeletedAnswer,
    right="users.admin",
    problems=("bad_request", "last_admin", "user_not_found"),
)
_ANY_SESSIONS = Doc(
    summary="Everybody's open sessions",
    answer=list[AnySessionAnswer],
    right="users.admin",
    paged=True,
)
_ORGS = Doc(
    summary="The organizations: the caller's, a superadmin's all",
    answer=list[OrganizationAnswer],
    right="organizations.admin",
    paged=True,
)
_GROUPS = Doc(
    summary="The same, as groups", answer=list[GroupAnswer], right="groups.read", paged=True
)
_GROUP = Doc(summary="One group", answer=GroupAnswer, right="groups.read", problems=_MISSING)
_SETTINGS = Doc(
    summary="The settings of an organization",
    answer=OrganizationSettingsAnswer,
    right="organizations.admin",
    problems=_MISSING,
)
_ADD_ORG = Doc(
    summary="Add an organization",
    answer=OrganizationCreatedAnswer,
    body=OrganizationBody,
    right="organizations.all",
    problems=("bad_request", "conflict", "user_not_found"),
)
_PATCH_ORG = Doc(
    summary="Change an organization",
    answer=StatusAnswer,
    body=OrganizationChangeBody,
    right="organizations.admin",
    problems=("bad_request", "conflict", "user_not_found", *_MISSING),
)
_DELETE_ORG = Doc(
    summary="Remove an empty organization",
    answer=StatusAnswer,
    right="organizations.all",
    problems=("bad_request", "conflict", "reauth_required", *_MISSING),
)
_ADD_MEMBER = Doc(
    summary="Move a person to this organization",
    answer=StatusAnswer,
    body=MemberBody,
    right="organizations.admin",
    problems=("bad_request", "last_admin", "user_not_found", *_MISSING),
)
_SET = Doc(
    summary="Change settings of an organization",
    answer=StatusAnswer,
    body=OrganizationSettingsBody,
    right="organizations.admin",
    problems=_MISSING,
)


class FarmRoutes:
    """`/users`, `/orgs`, `/groups`, `/admin/sessions`."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        user, session = "/users/<int:user_id>", "/admin/sessions/<int:session_id>"
        v1.add("GET", "/users", self.users, _USERS)
        v1.add("POST", "/users", self.create_user, _ADD_USER)
        v1.add("PATCH", user, self.update_user, _PATCH_USER)
        v1.add("DELETE", user, self.delete_user, _DELETE_USER)
        v1.add("GET", "/admin/sessions", self.sessions, _ANY_SESSIONS)
        doc = Doc(summary="End anybody's session", answer=StatusAnswer, right="users.admin")
        v1.add("DELETE", session, self.revoke_session, doc)
        self._register_organizations(v1)

    def _register_organizations(self, v1: V1) -> None:
        one, group = "/orgs/<int:org_id>", "/groups/<int:org_id>"
        v1.add("GET", "/orgs", self.organizations, _ORGS)
        v1.add("GET", "/groups", self.groups, _GROUPS)
        v1.add("GET", group, self.group, _GROUP)
        for collection, item in (("/orgs", one), ("/groups", group)):
            v1.add("POST", collection, self.create_organization, _ADD_ORG)
            v1.add("PATCH", item, self.update_organization, _PATCH_ORG)
            v1.add("DELETE", item, self.delete_organization, _DELETE_ORG)
        v1.add("POST", f"{one}/members", self.add_member, _ADD_MEMBER)
        v1.add("GET", f"{one}/settings", self.settings, _SETTINGS)
        v1.add("PUT", f"{one}/settings", self.set_settings, _SET)

    # People

    async def users(self) -> Response:
        """The people of the organization."""
        rows, total = await self._accounts.users(caller(), *paging(), id_query("org_id"))
        return counted([user_view(row) for row in rows], total)

    async def create_user(self) -> Response:
        """Add a person."""
        body = await json_body(UserBody)
        new = NewUser(
            username=body.username,
            email=body.email,
            password=body.password,
            role=checked_role(body.role),
            organization_id=body.group_id,
        )
        add = self._accounts.invite if body.send_welcome_email else self._accounts.create_user
        user = await add(caller(), new)
        return json_answer({"status": "created", "id": user.id})

    async def update_user(self, user_id: int) -> Response:
        """Change a person."""
        given = (await json_body(UserChangeBody)).model_dump()
        role = given.pop("role")
        wish = UserChange(
            organization_id=given.pop("group_id"),
            role=None if role is None else checked_role(role),
            **given,
        )
        await self._accounts.update_user(caller(), user_id, wish, remote_address())
        return json_answer({"status": "updated"})

    async def delete_user(self, user_id: int) -> Response:
        """Remove a person."""
        await self._accounts.delete_user(caller(), user_id)
        return json_answer({"status": "deleted"})

    async def sessions(self) -> Response:
        """Everybody's open sessions."""
        by = caller()
        rows, total = await self._accounts.all_sessions(by, *paging())
        shown = [
            {**session_view(row, by.credential_id), "user_id": row.user_id, "username": name}
            for row, name in rows
        ]
        return counted(shown, total)

    async def revoke_session(self, session_id: int) -> Response:
        """End anybody's session at once."""
        await self._accounts.revoke_any_session(caller(), session_id)
        return json_answer(_OK)

    # Organizations

    async def organizations(self) -> Response:
        """The organizations that the caller may see."""
        caller().require("organizations.admin")
        rows, total = await self._accounts.organizations(caller(), *paging())
        return counted([organization_view(row) for row in rows], total)

    async def groups(self) -> Response:
        """The same, as groups."""
        rows, total = await self._accounts.organizations(caller(), *paging())
        return counted([group_view(row) for row in rows], total)

    async def group(self, org_id: int) -> Response:
        """One of them."""
        return json_answer(group_view(await self._accounts.organization(caller(), org_id)))

    async def create_organization(self) -> Response:
        """Add one."""
        body = await json_body(OrganizationBody)
        row = await self._accounts.create_organization(
            caller(), body.name, body.description, body.owner_id
        )
        return json_answer({"id": row.id, "name": row.name, **_OK})

    async def update_organization(self, org_id: int) -> Response:
        """Change one."""
        body = await json_body(OrganizationChangeBody)
        await self._accounts.update_organization(caller(), org_id, **body.model_dump())
        return json_answer(_OK)

    async def delete_organization(self, org_id: int) -> Response:
        """Remove an empty one."""
        await self._accounts.delete_organization(caller(), org_id)
        return json_answer(_OK)

    async def add_member(self, org_id: int) -> Response:
        """Move a person there."""
        body = await json_body(MemberBody)
        await self._accounts.add_member(caller(), org_id, body.user_id, remote_address())
        return json_answer(_OK)

    async def settings(self, org_id: int) -> Response:
        """What is set for it."""
        by = caller()
        by.require("organizations.admin")
        await self._accounts.organization(by, org_id)
        kept = await self._accounts.organization_settings(org_id)
        names = OrganizationSettingsBody.model_fields
        return json_answer({name: kept.get(name) for name in names})

    async def set_settings(self, org_id: int) -> Response:
        """Change what is set for it."""
        body = await json_body(OrganizationSettingsBody)
        given = body.model_dump(exclude_unset=True)
        await self._accounts.set_organization_settings(caller(), org_id, given)
        return json_answer(_OK)
