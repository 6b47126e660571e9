"""`/api/access`: users, their keys and settings, groups, permissions (OctoPrint contract, 3, 4)."""

from collections.abc import Collection, Mapping
from typing import Any

from quart import Response

from api.accounts.groups import GroupChange, checked_groups
from api.accounts.people import NewUser, UserChange
from api.accounts.service import Accounts
from api.accounts.standing import GROUPS_OF, OF_ROLE, Groups, left_of, role_for
from api.errors import Invalid, NotFound
from api.http import remote_address
from api.octoprint.access_document import (
    Person,
    grantable,
    group_document,
    group_documents,
    keys_of,
    permission_documents,
    user_record,
)
from api.octoprint.body import Body, is_true, json_object
from api.octoprint.route import Route
from api.octoprint.visitor import Visitors, require
from api.octoprint.wire import answer, done
from api.principal import Principal, Role

_MAX_USERS = 10_000


class Access:
    """Who may what."""

    def __init__(self, accounts: Accounts, visitors: Visitors) -> None:
        self._accounts = accounts
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
            Route("DELETE", group, self.remove_group, visits=False),
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
        return await self._all_groups(await self._admin(root))

    async def group(self, root: str, key: str) -> Response:
        """One group."""
        there = await self._accounts.groups(await self._admin(root))
        if key not in there:
            raise NotFound("There is no such group")
        return answer(group_document(there[key], there))

    async def add_group(self, root: str) -> Response:
        """Make one: 400 for what is missing, 409 for one that exists."""
        by = await self._admin(root)
        body = await json_object()
        for needed in ("key", "name", "permissions", "subgroups"):
            if body.get(needed) is None:
                raise Invalid(f"{needed} is missing")
        key, name = body["key"], body["name"]
        if not isinstance(key, str) or not isinstance(name, str):
            raise Invalid("key and name take texts")
        await self._accounts.add_group(by, key, name, _group_change(body))
        return await self._all_groups(by)

    async def change_group(self, root: str, key: str) -> Response:
        """Change it: 403 for admins, guests and readonly, 404."""
        by = await self._admin(root)
        await self._accounts.change_group(by, key, _group_change(await json_object()))
        return await self._all_groups(by)

    async def remove_group(self, root: str, key: str) -> Response:
        """Remove it: 403 for those of every farm, 404."""
        by = await self._admin(root)
        await self._accounts.remove_group(by, key)
        return await self._all_groups(by)

    async def _all_groups(self, by: Principal) -> Response:
        return answer({"groups": group_documents(await self._accounts.groups(by))})

    # Users.

    async def users(self, root: str) -> Response:
        """Everybody; of keys only whether there is one."""
        return await self._everybody(root, await self._admin(root))

    async def user(self, root: str, username: str) -> Response:
        """One person: oneself, or as an admin anybody."""
        by, person = await self._person(root, username)
        has_key = await self._accounts.has_user_key(person.id)
        granted = (await self._granted(root, by)).get(person.id, ())
        groups = await self._accounts.groups(by)
        return answer(user_record(person, groups, has_key=has_key, granted=granted))

    async def add_user(self, root: str) -> Response:
        """Add a person; without groups in those that are default."""
        by = await self._admin(root)
        body = await json_object()
        name, password = body.get("name"), body.get("password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise Invalid("name and password are missing")
        groups = await self._accounts.groups(by)
        keys = keys_of(body, "groups")
        if keys is None:
            keys = [key for key, group in groups.items() if group.is_default]
        role, own = _place(body, checked_groups(keys, groups), groups)
        beyond = await self._beyond(root, by, body, _held(role, own, groups))
        new = NewUser(username=name, email="", password=password, role=role, groups=own)
        user = await self._accounts.create_user(by, new)
        if body.get("active", True) is False:
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
        groups = await self._accounts.groups(by)
        now = Role(user.role)
        role: Role | None = None
        own: list[str] | None = None
        keys = keys_of(body, "groups")
        shown = list(GROUPS_OF[now] if user.groups is None else user.groups)
        if body.get("admin") is True or (keys is not None and sorted(keys) != sorted(shown)):
            role, own = _place(body, checked_groups(keys or [], groups), groups)
        held = _held(role or now, user.groups if role is None else own, groups)
        beyond = await self._beyond(root, by, body, held)
        change = UserChange(is_active=active, role=role, groups=own)
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

    # What a person may at one printer, or at all of a pool.

    async def _beyond(
        self, root: str, by: Principal, body: Body, held: Collection[str]
    ) -> list[str] | None:
        """The permissions of *body* that only a grant gives; None when it names none.

        Raises `Invalid` for what cannot be granted, and where there is no printer to grant it at.
        """
        asked = keys_of(body, "permissions")
        if asked is None:
            return None
        beyond = grantable(asked, held)
        if beyond and not await self._printers(root, by):
            raise Invalid(
                f"{beyond[0]} can be granted at one printer: ask for it at that printer's address."
            )
        return beyond

    async def _give(self, root: str, by: Principal, user_id: int, beyond: list[str] | None) -> None:
        printers = await self._printers(root, by)
        if printers and beyond is not None:
            await self._accounts.grant(by, printers, user_id, beyond)

    async def _granted(self, root: str, by: Principal) -> Mapping[int, Collection[str]]:
        printers = await self._printers(root, by)
        return await self._accounts.granted_at(printers) if printers else {}

    async def _printers(self, root: str, by: Principal) -> list[int]:
        """The printers at *root*: one, or those of a pool; none at the server's own."""
        return await self._visitors.printers_at(by, root) if root else []

    async def _everybody(self, root: str, by: Principal) -> Response:
        people, _ = await self._accounts.users(by, 0, _MAX_USERS, by.organization_id)
        with_key = await self._accounts.with_user_key([person.id for person in people])
        granted, groups = await self._granted(root, by), await self._accounts.groups(by)
        shown = [
            user_record(
                person,
                groups,
                has_key=person.id in with_key,
                granted=granted.get(person.id, ()),
            )
            for person in people
        ]
        return answer({"users": shown})


def _place(body: Body, keys: list[str], groups: Groups) -> tuple[Role, list[str]]:
    """The role and the groups of who is to be in *keys*, or is the older `admin`."""
    if body.get("admin") is True:
        return Role.ADMIN, [*GROUPS_OF[Role.ADMIN]]
    return role_for(keys, groups), keys


def _held(role: Role, keys: list[str] | None, groups: Groups) -> Collection[str]:
    """What somebody with *role* in these groups may."""
    left = left_of(role, keys, groups)
    return OF_ROLE[role] if left is None else left


def _group_change(body: Body) -> GroupChange:
    description: Any = body.get("description")
    if description is not None and not isinstance(description, str):
        raise Invalid("description takes a text")
    return GroupChange(
        description=description,
        permissions=keys_of(body, "permissions"),
        subgroups=keys_of(body, "subgroups"),
        is_default=is_true(body["default"]) if "default" in body else None,
    )
