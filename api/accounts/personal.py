"""What belongs to a person: their theme, what is kept of them, and being forgotten (v1 2.1).

People are also added here by the list, as a CSV file.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.accounts import keys
from api.accounts.directory import Directory, keep_an_admin
from api.accounts.factor_rows import forget_second_factor
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential, Identity, Organization, User
from api.accounts.people import NewUser, checked_role
from api.errors import Invalid, Problem
from api.principal import Principal

#: Each row costs a password hash, a fifth of a second: more than this would time out.
MAX_IMPORT_ROWS = 200
_COLUMNS = ("username", "email", "password", "role")
_NEEDED = frozenset({"username", "email", "password"})
_THEME = "theme"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a list of people. *errors*: (row of the file, from 2, and why not)."""

    created: int
    skipped: int
    errors: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What the room keeps of a person, *at* that moment."""

    at: datetime
    user: User
    sessions: list[Credential]
    tokens: list[Credential]


class Personal(Directory):
    """Whatever is one person's own."""

    async def theme(self, by: Principal) -> Mapping[str, Any]:
        """How the caller's dashboard looks; empty: as it comes."""
        by.require("self.read")
        theme: Mapping[str, Any] = (await self._myself(by)).settings.get(_THEME, {})
        return theme

    async def set_theme(self, by: Principal, theme: Mapping[str, Any]) -> None:
        """Make the caller's dashboard look like *theme*, whole. Raises `Invalid` when too long."""
        await self.set_user_settings(by, by.user_id, {_THEME: theme})

    async def kept_of(self, by: Principal, user_id: int) -> Kept:
        """What is kept of a person: their own is theirs to see, anybody's an admin's.

        Raises `NotFound`, `Forbidden`.
        """
        by.require("self.read" if user_id == by.user_id else "users.admin")
        user = await self.user(by, user_id)
        live = Credential.filter(user_id=user.id, revoked_at=None).order_by("id")
        now = self._clock.now()
        sessions = await live.filter(kind=CredentialKind.SESSION, expires_at__gt=now)
        return Kept(now, user, list(sessions), list(await live.filter(kind=CredentialKind.TOKEN)))

    async def erase_user(self, by: Principal, user_id: int) -> str:
        """Forget who a person is: no name, address, password or key is left. Their new name.

        Their jobs stay, of somebody whom nobody can tell; the audit trail, which nobody alters,
        goes on saying who did what. Raises `NotFound`, `Invalid` (oneself, last_admin), `Forbidden`
        for a superadmin.
        """
        by.require("users.admin")
        user = await self._removable(by, user_id)
        name = f"[deleted-{user.id}]"
        unknown = await self._passwords.hash(keys.new_key())
        async with self._ledger.change() as change:
            await keep_an_admin(by, user)
            await self._credentials.revoke_in(change, user_id=user.id)
            await forget_second_factor(user.id)
            await Identity.filter(user_id=user.id).delete()
            await Credential.filter(user_id=user.id).update(remote_address="", user_agent="")
            await Organization.filter(owner_id=user.id).update(owner_id=None)
            await User.filter(id=user.id).update(
                username=name,
                email="",
                password_hash=unknown,
                is_active=False,
                is_superadmin=False,
                settings={},
            )
            await self._forget_elsewhere(user.id)
            change.note(by, "user.erased", ("user", user.id))
        return name

    async def import_users(self, by: Principal, text: str) -> Imported:
        """Add the people of a CSV file (username, email, password, role) to the organization.

        A name that is taken is skipped. Raises `Invalid` for a file that is none.
        """
        by.require("users.admin")
        created, skipped, errors = 0, 0, []
        for number, row in enumerate(_rows(text), start=2):
            try:
                await self.create_user(by, _new_user(row))
                created += 1
            except Problem as problem:
                if problem.code == "name_taken":
                    skipped += 1
                else:
                    errors.append((number, problem.detail))
        return Imported(created, skipped, errors)


def _rows(text: str) -> list[dict[str, str]]:
    """The rows of *text* by column. Raises `Invalid`."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restval="", strict=True)
    try:
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = list(reader)
    except csv.Error as error:
        raise Invalid(f"This is no CSV file: {error}.") from None
    missing = sorted(_NEEDED - set(columns))
    if missing:
        wanted = ",".join(_COLUMNS)
        raise Invalid(f"The first line names the columns, as in {wanted}; {missing[0]} is missing.")
    if len(rows) > MAX_IMPORT_ROWS:
        raise Invalid(f"At most {MAX_IMPORT_ROWS} people at a time; these are {len(rows)}.")
    return [{name: row[name] or "" for name in _COLUMNS if name in row} for row in rows]


def _new_user(row: Mapping[str, str]) -> NewUser:
    role = checked_role(row.get("role", "").strip().lower() or "operator")
    return NewUser(
        username=row["username"], email=row["email"], password=row["password"], role=role
    )
