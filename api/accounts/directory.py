"""People: listed, added, changed, removed (v1 2.1; safety S14, S26, S27, S55).

Whoever loses a role, an organization or their place here loses their sessions in the same
transaction. The farm keeps a superadmin, and an organization that governs itself keeps an admin.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from tortoise.exceptions import IntegrityError

from api.accounts.factor_rows import forget_second_factor
from api.accounts.keys import CredentialKind
from api.accounts.models import Grant, Organization, User
from api.accounts.passwords import Passwords
from api.accounts.people import MAX_USERNAME, NewUser, UserChange, checked_email, checked_username
from api.accounts.sessions import Sessions
from api.clock import Clock
from api.config import Settings
from api.errors import Forbidden, Invalid, NotFound
from api.events.service import Change, Ledger
from api.principal import Principal, Role

#: The kind of mail with which somebody chooses their first password.
INVITATION = "invitation"
MAX_SETTINGS_CHARS = 64 * 1024


class Directory(Sessions):
    """Who is here."""

    def __init__(
        self, ledger: Ledger, clock: Clock, settings: Settings, hasher: Passwords | None = None
    ) -> None:
        super().__init__(ledger, clock, settings, hasher)
        self._gone: list[Callable[[int], Awaitable[object]]] = []

    def when_gone(self, forget: Callable[[int], Awaitable[object]]) -> None:
        """Call *forget* (the id) in the transaction in which a person is deleted or erased."""
        self._gone.append(forget)

    async def _forget_elsewhere(self, user_id: int) -> None:
        """Other rooms forget a person, too."""
        for forget in self._gone:
            await forget(user_id)

    async def users(
        self, by: Principal, skip: int, limit: int, organization_id: int | None = None
    ) -> tuple[list[User], int]:
        """People of the caller's organization (a superadmin: of *organization_id*, None: of all),
        oldest first, and how many there are.
        """
        by.require("users.read")
        rows = User.all()
        if not by.is_superadmin:
            rows = rows.filter(organization_id=by.organization_id)
        if organization_id is not None:
            rows = rows.filter(organization_id=organization_id)
        return list(await rows.order_by("id").offset(skip).limit(limit)), await rows.count()

    async def user_named(self, by: Principal, username: str) -> User:
        """The person of the caller's own organization with this name. Raises `NotFound`."""
        found = await User.get_or_none(username=username, organization_id=by.organization_id)
        if found is None:
            raise NotFound("User not found", code="user_not_found")
        return found

    async def members(self, organization_id: int) -> list[User]:
        """The active people of an organization. For the farm itself."""
        return list(await User.filter(organization_id=organization_id, is_active=True))

    async def usernames(self, user_ids: Collection[int]) -> dict[int, str]:
        """The names of these people, whoever of them is still there. For the farm itself."""
        rows = User.filter(id__in=sorted(user_ids)).values_list("id", "username")
        return {int(number): str(name) for number, name in await rows} if user_ids else {}

    async def organization_of(self, username: str) -> int | None:
        """Where a person of this name is; None for nobody. For the farm itself."""
        found = await User.get_or_none(username=username[:MAX_USERNAME])
        return None if found is None else found.organization_id

    async def create_user(self, by: Principal, new: NewUser, *, invited: bool = False) -> User:
        """Add a person, and mail them when *invited*.

        Raises `Invalid`, `Forbidden`, `NotFound` for the organization.
        """
        by.require("users.admin")
        username, email = checked_username(new.username), checked_email(new.email)
        organization_id = await self._organization_for(by, new.organization_id)
        await self.check_new_password(new.password, username, organization_id)
        password_hash = await self._passwords.hash(new.password)
        try:
            async with self._ledger.change() as change:
                await _check_free(username)
                user = await User.create(
                    organization_id=organization_id,
                    username=username,
                    email=email,
                    password_hash=password_hash,
                    role=new.role,
                    groups=None if new.groups is None else [*new.groups],
                    created_at=self._clock.now(),
                )
                facts = {"username": username, "role": new.role, "organization": organization_id}
                change.note(by, "user.created", ("user", user.id), **facts)
                if invited:
                    await self.post.put(change, INVITATION, user.email, user_id=user.id)
        except IntegrityError:
            raise _taken(username) from None
        return user

    async def update_user(self, by: Principal, user_id: int, wish: UserChange, remote: str) -> User:
        """Change a person; people change their own password and e-mail with the current password.

        Raises `NotFound`, `Invalid` (last_admin among its codes), `Forbidden` (reauth_required,
        wrong_password among them).
        """
        user = await self._changeable(by, user_id, wish)
        changed = await self._columns(by, user, wish)
        if wish.of_access or wish.current_password is not None:
            await self._confirm(by, user, wish.current_password, remote)
        if wish.password is not None:
            changed["password_hash"] = await self._passwords.hash(wish.password)
        try:
            async with self._ledger.change() as change:
                await self._apply(change, by, user, changed)
        except IntegrityError:
            raise _taken(str(changed.get("username"))) from None
        return await self.user(by, user_id)

    async def set_user_settings(
        self, by: Principal, user_id: int, given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What a person's clients keep for them (JSON by name); what is not *given* stays.

        People set their own, an admin anybody's. All there are then. Raises `NotFound`, `Invalid`.
        """
        by.require("self.write" if user_id == by.user_id else "users.admin")
        user = await self.user(by, user_id)
        async with self._ledger.change() as change:
            row = await User.filter(id=user.id).select_for_update().get()
            merged = {**row.settings, **given}
            if len(json.dumps(merged)) > MAX_SETTINGS_CHARS:
                raise Invalid(f"A person's settings have at most {MAX_SETTINGS_CHARS} characters.")
            await User.filter(id=user.id).update(settings=merged)
            change.note(by, "user.updated", ("user", user.id), settings=sorted(given))
        return merged

    async def delete_user(self, by: Principal, user_id: int) -> None:
        """Remove a person and everything they proved themselves with; their history stays.

        Raises `NotFound`, `Invalid` (oneself, last_admin), `Forbidden` for a superadmin.
        """
        user = await self._removable(by, user_id)
        async with self._ledger.change() as change:
            await keep_an_admin(by, user)
            await self._credentials.revoke_in(change, user_id=user.id)
            await forget_second_factor(user.id)
            await Grant.filter(user_id=user.id).delete()
            await Organization.filter(owner_id=user.id).update(owner_id=None)
            await User.filter(id=user.id).delete()
            await self._forget_elsewhere(user.id)
            change.note(by, "user.deleted", ("user", user.id), username=user.username)

    async def _removable(self, by: Principal, user_id: int) -> User:
        """The person, when *by* may take them away from here."""
        by.require("users.admin")
        user = await self.user(by, user_id)
        if user.id == by.user_id:
            raise Invalid("Nobody deletes themselves: another admin can.")
        check_rank(by, user)
        return user

    async def _changeable(self, by: Principal, user_id: int, wish: UserChange) -> User:
        """The person, when *by* may wish for that."""
        mine = user_id == by.user_id
        by.require("self.write" if mine and not wish.of_standing else "users.admin")
        user = await self.user(by, user_id)
        check_rank(by, user)
        if mine and wish.of_standing and _differs(user, wish):
            raise Forbidden("Nobody changes their own role, organization or place: another admin.")
        if mine and wish.username is not None and wish.username != user.username:
            by.require("users.admin")
        return user

    async def _columns(self, by: Principal, user: User, wish: UserChange) -> dict[str, Any]:
        """The columns that change. Raises `Invalid`, `Forbidden`, `NotFound`."""
        wanted: dict[str, Any] = {"role": wish.role, "is_active": wish.is_active}
        if wish.username is not None:
            wanted["username"] = checked_username(wish.username)
        if wish.email is not None:
            wanted["email"] = checked_email(wish.email)
        if wish.groups is not None:
            wanted["groups"] = [*wish.groups]
        if wish.organization_id is not None:
            wanted["organization_id"] = await self._organization_for(by, wish.organization_id)
        if wish.is_superadmin is not None:
            by.require("organizations.all")
            wanted["is_superadmin"] = wish.is_superadmin
        if wish.password is not None:
            name = wanted.get("username", user.username)
            await self.check_new_password(wish.password, name, user.organization_id)
        changed = {
            name: value
            for name, value in wanted.items()
            if value is not None and value != getattr(user, name)
        }
        moved = changed.keys() & {"role", "organization_id"}
        if moved and wish.groups is None and user.groups is not None:
            changed["groups"] = None
        future = {
            name: changed.get(name, getattr(user, name)) for name in ("is_superadmin", "role")
        }
        if future["is_superadmin"] and future["role"] != Role.ADMIN:
            raise Invalid("A superadmin is an admin: take is_superadmin away first.")
        return changed

    async def _confirm(self, by: Principal, user: User, current: str | None, remote: str) -> None:
        """That the caller is who they say: by the password they typed now or a while ago."""
        if current is not None:
            await self._check_password(by, current, remote)
        elif user.id == by.user_id:
            raise Forbidden(
                "Your own password or e-mail asks for current_password.", code="reauth_required"
            )
        elif by.kind == CredentialKind.SESSION:
            await self.require_fresh(by)
        elif user.role == Role.ADMIN:
            raise Forbidden(
                "An admin's password or e-mail asks for your own, as current_password.",
                code="reauth_required",
            )

    async def _apply(
        self, change: Change, by: Principal, user: User, changed: dict[str, Any]
    ) -> None:
        if changed.keys() & {"role", "is_active", "organization_id", "is_superadmin"}:
            await keep_an_admin(by, user)
        if "username" in changed:
            await _check_free(changed["username"])
        if not changed or not await User.filter(id=user.id).update(**changed):
            return
        if "organization_id" in changed:  # nothing that was given there reaches from here
            await self._credentials.revoke_in(change, user_id=user.id)
            await Grant.filter(user_id=user.id).delete()
        elif changed.keys() - {"username", "email"}:
            await self._credentials.end_ways_in(change, user.id, but=by.credential_id)
        await self._credentials.changed_in(change, user.id)
        for action, facts in _acts(user, changed):
            change.note(by, action, ("user", user.id), **facts)
        for column, what in (("password_hash", "password"), ("email", "email")):
            if column in changed:
                await self.tell(change, user, what)

    async def _organization_for(self, by: Principal, wanted: int | None) -> int:
        """Where *by* may put people. Raises `NotFound`, the same for a foreign one."""
        if wanted is None or wanted == by.organization_id:
            return by.organization_id
        found = Organization.filter(id=wanted, deleted_at=None)
        if not by.is_superadmin or not await found.exists():
            raise NotFound("Organization not found", code="organization_not_found")
        return wanted


def check_rank(by: Principal, user: User) -> None:
    """Raises `Forbidden` for a superadmin, unless *by* is one too."""
    if user.is_superadmin and not by.is_superadmin:
        raise Forbidden("Only a superadmin changes a superadmin.")


def _differs(user: User, wish: UserChange) -> bool:
    """Whether *wish* would change the person's standing; clients send back what they were shown."""
    pairs = (
        (wish.role, user.role),
        (wish.is_active, user.is_active),
        (wish.organization_id, user.organization_id),
        (wish.is_superadmin, user.is_superadmin),
        (wish.groups, user.groups),
    )
    return any(wished is not None and wished != now for wished, now in pairs)


async def keep_an_admin(by: Principal, user: User) -> None:
    """Within a change: somebody else must be left. Raises `Invalid` (last_admin).

    The asker must be one of them, so of two admins who remove each other at once one fails.
    """
    if not user.is_active or user.role != Role.ADMIN:
        return
    if user.is_superadmin:
        rest = User.filter(is_superadmin=True)
    elif by.is_superadmin:
        return  # the organization is still governed: by them
    else:
        rest = User.filter(organization_id=user.organization_id, role=Role.ADMIN)
    ids = {row.id for row in await rest.filter(is_active=True)}
    if ids <= {user.id} or (by.user_id and by.user_id not in ids):
        raise Invalid("No admin would be left: make another one first.", code="last_admin")


async def _check_free(username: str) -> None:
    if await User.filter(username=username).exists():
        raise _taken(username)


def _taken(username: str) -> Invalid:
    return Invalid(f"The user name {username!r} is taken.", code="name_taken")


def _acts(user: User, changed: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What the audit trail says of *changed*: an entry for each thing of its own."""
    acts: list[tuple[str, dict[str, Any]]] = []
    if "password_hash" in changed:
        acts.append(("user.password_changed", {}))
    if "role" in changed:
        acts.append(("user.role_changed", {"from": str(user.role), "to": str(changed["role"])}))
    rest = {n: v for n, v in changed.items() if n not in ("password_hash", "role")}
    if rest:
        acts.append(("user.updated", rest))
    return acts
