"""`/api/access`: users, their keys and settings, groups, permissions (OctoPrint contract, 3, 4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from quart import Response

from api.accounts.people import NewUser, UserChange
from api.accounts.service import Accounts
from api.errors import Conflict, Forbidden, Invalid, NotFound
from api.http import remote_address
from api.octoprint.access_document import (
    Person,
    group_documents,
    permission_documents,
    role_for,
    user_record,
)
from api.octoprint.body import Body, json_object
from api.octoprint.grants import Grants, grantable
from api.octoprint.route import Route
from api.octoprint.visitor import Visitors, require
from api.octoprint.wire import answer, done
from api.principal import Principal, Role
from api.printers.service import Printer

_MAX_USERS = 10_000


class Access:
    """Who may what."""

    def __init__(self, accounts: Accounts, visitors: Visitors, grants: Grants) -> None:
        self._accounts = accounts
        self._grants = grants
        self._visitors = visitors

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        users, one = "/api/access/users", "/api/access/users/<username>"
        groups, group = "/api/access/groups", "/api/access/groups/<key>"
        return (
            Route("GET", "/api/access/permissions", self.permissions, visits=False),
            Route("GET", groups, self.groups, visits=False),
            Route("POST", groups, self.add_group, visits=False),
            Route("GET", group, self.group, visits=False),
            Route("PUT", group, self.change_group, visits=False),
            Route("DELETE", group, self.change_group, visits=False),
            Route("GET", users, self.users, visits=False),
            Route("POST", users, self.add_user, visits=False),
            Route("GET", one, self.user, visits=False),
            Route("PUT", one, self.update_user, visits=False),
            Route("DELETE", one, self.delete_user, visits=False),
            Route("PUT", f"{one}/password", self.password, visits=False),
            Route("GET", f"{one}/settings", self.settings, visits=False),
            Route("PATCH", f"{one}/settings", self.set_settings, visits=False),
            Route("POST", f"{one}/apikey", self.make_key, visits=False),
            Route("DELETE", f"{one}/apikey", self.end_key, visits=False),
            Route("POST", "/api/settings/apikey", self.make_own_key, visits=False),
            Route("DELETE", "/api/settings/apikey", self.end_own_key, visits=False),
        )

    # Groups and permissions.

    async def permissions(self, root: str) -> Response:
        """What can be permitted, for anybody."""
        del root
        return answer({"permissions": permission_documents()})

    async def groups(self, root: str) -> Response:
        """Every group."""
        await self._admin(root)
        return answer({"groups": group_documents()})

    async def group(self, root: str, key: str) -> Response:
        """One group."""
        await self._admin(root)
        return answer(_group(key))

    async def add_group(self, root: str) -> Response:
        """There are these groups and no more: 400 and 409 as ever, else 403."""
        await self._admin(root)
        body = await json_object()
        if not isinstance(body.get("key"), str) or not isinstance(body.get("name"), str):
            raise Invalid("key and name are missing")
        if any(one["key"] == body["key"] for one in group_documents()):
            raise Conflict("This group exists already")
        raise Forbidden("Groups are the roles of this farm; there are no others.")

    async def change_group(self, root: str, key: str) -> Response:
        """No group can be changed or removed: 403, and 404 for one that is not there."""
        await self._admin(root)
        _group(key)
        raise Forbidden("Groups are the roles of this farm; they cannot be changed.")

    # Users.

    async def users(self, root: str) -> Response:
        """Everybody; of keys only whether there is one."""
        return await self._everybody(root, await self._admin(root))

    async def user(self, root: str, username: str) -> Response:
        """One person: oneself, or as an admin anybody."""
        by, person = await self._person(root, username)
        has_key = await self._accounts.has_user_key(person.id)
        granted = (await self._granted(root, by)).get(person.id, ())
        return answer(user_record(person, has_key=has_key, granted=granted))

    async def add_user(self, root: str) -> Response:
        """Add a person; without groups an operator."""
        by = await self._admin(root)
        body = await json_object()
        name, password = body.get("name"), body.get("password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise Invalid("name and password are missing")
        role = role_for(body) or Role.OPERATOR
        beyond = await self._beyond(root, by, body, role)
        new = NewUser(username=name, email="", password=password, role=role)
        user = await self._accounts.create_user(by, new)
        if body.get("active") is False:
            change = UserChange(is_active=False)
            await self._accounts.update_user(by, user.id, change, remote_address())
        await self._give(root, by, user.id, beyond)
        return await self._everybody(root, by)

    async def update_user(self, root: str, username: str) -> Response:
        """Switch a person on or off, or move them to other groups."""
        by = await self._admin(root)
        user = await self._accounts.user_named(by, username)
        body = await json_object()
        active = body.get("active")
        if active is not None and not isinstance(active, bool):
            raise Invalid("active takes true or false")
        role = role_for(body)
        beyond = await self._beyond(root, by, body, role or Role(user.role))
        change = UserChange(is_active=active, role=role)
        await self._accounts.update_user(by, user.id, change, remote_address())
        await self._give(root, by, user.id, beyond)
        return await self._everybody(root, by)

    async def delete_user(self, root: str, username: str) -> Response:
        """Remove a person; not oneself (400)."""
        by = await self._admin(root)
        user = await self._accounts.user_named(by, username)
        await self._accounts.delete_user(by, user.id)
        return await self._everybody(root, by)

    async def password(self, root: str, username: str) -> Response:
        """A new password; one's own asks for the present one."""
        by, person = await self._person(root, username)
        body = await json_object()
        new, current = body.get("password"), body.get("current")
        if not isinstance(new, str):
            raise Invalid("password is missing")
        if person.id != by.user_id:
            change = UserChange(password=new)
            await self._accounts.update_user(by, person.id, change, remote_address())
        elif isinstance(current, str):
            await self._accounts.change_password(by, current, new, remote_address())
        else:
            raise Invalid("current is missing")
        return answer({})

    async def settings(self, root: str, username: str) -> Response:
        """What a person's clients keep here."""
        _, person = await self._person(root, username)
        return answer(person.settings or {})

    async def set_settings(self, root: str, username: str) -> Response:
        """Change some of it."""
        by, person = await self._person(root, username)
        await self._accounts.set_user_settings(by, person.id, await json_object())
        return answer({})

    # Keys of users.

    async def make_key(self, root: str, username: str) -> Response:
        """A new key in place of the old one; the answer is the only place that shows it."""
        by, person = await self._person(root, username)
        return answer({"apikey": await self._accounts.generate_user_key(by, person.id)})

    async def end_key(self, root: str, username: str) -> Response:
        """Revoke it."""
        by, person = await self._person(root, username)
        await self._accounts.revoke_user_key(by, person.id)
        return answer({})

    async def make_own_key(self, root: str) -> Response:
        """Once the key of the whole server: here the caller's own, an admin's."""
        by = await self._admin(root)
        return answer({"apikey": await self._accounts.generate_user_key(by, by.user_id)})

    async def end_own_key(self, root: str) -> Response:
        """Revoke it."""
        by = await self._admin(root)
        await self._accounts.revoke_user_key(by, by.user_id)
        return done()

    # Who asks.

    async def _admin(self, root: str) -> Principal:
        """An admin whose password is fresh. Raises `Forbidden`."""
        by = await self._visitors.caller_at(root, {})
        require(by, "users.admin")
        await self._accounts.require_fresh(by)
        return by

    async def _person(self, root: str, username: str) -> tuple[Principal, Person]:
        """(caller, the person named): oneself, or anybody for an admin. Raises `Forbidden`."""
        by = await self._visitors.caller_at(root, {})
        if username != by.username:
            require(by, "users.admin")
        require(by, "self.read")
        await self._accounts.require_fresh(by)
        return by, await self._accounts.user_named(by, username)

    # What a person may at one printer.

    async def _beyond(self, root: str, by: Principal, body: Body, role: Role) -> list[str] | None:
        """The permissions of *body* that only a grant gives; None when it names none.

        Raises `Invalid` for what cannot be granted, and where there is no printer to grant it at.
        """
        if body.get("permissions") is None:
            return None
        beyond = grantable(body["permissions"], role)
        if beyond and await self._printer(root, by) is None:
            raise Invalid(
                f"{beyond[0]} can be granted at one printer: ask for it at that printer's address."
            )
        return beyond

    async def _give(self, root: str, by: Principal, user_id: int, beyond: list[str] | None) -> None:
        printer = await self._printer(root, by)
        if printer is not None and beyond is not None:
            await self._grants.give(by, printer, user_id, beyond)

    async def _granted(self, root: str, by: Principal) -> Mapping[int, Sequence[str]]:
        printer = await self._printer(root, by)
        return {} if printer is None else await self._grants.of(printer)

    async def _printer(self, root: str, by: Principal) -> Printer | None:
        """Whose address *root* is; None at a pool's and at the server's own."""
        at = await self._visitors.at(by, root) if root else None
        return at if isinstance(at, Printer) else None

    async def _everybody(self, root: str, by: Principal) -> Response:
        people, _ = await self._accounts.users(by, 0, _MAX_USERS, by.organization_id)
        with_key = await self._accounts.with_user_key([person.id for person in people])
        granted = await self._granted(root, by)
        shown = [
            user_record(person, has_key=person.id in with_key, granted=granted.get(person.id, ()))
            for person in people
        ]
        return answer({"users": shown})


def _group(key: str) -> dict[str, Any]:
    for one in group_documents():
        if one["key"] == key:
            return one
    raise NotFound("There is no such group")
