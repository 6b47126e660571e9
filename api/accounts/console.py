"""What whoever may use the server's shell does for people who are locked out.

Nobody is asked for a credential here: who can run this can read and write the database anyway.
Everything is in the audit log, as done by `console`.
"""

from dataclasses import replace

from tortoise.exceptions import IntegrityError

from api.accounts import factor_rows, passwords
from api.accounts.credentials import Credentials
from api.accounts.models import Organization, User
from api.accounts.office import FIRST_ORGANIZATION
from api.accounts.passwords import Passwords
from api.accounts.people import checked_email, checked_username
from api.clock import Clock
from api.errors import Conflict, NotFound
from api.events.service import Ledger
from api.principal import Principal, Role, system

_CONSOLE = "console"


class Console:
    """People, from the shell."""

    def __init__(
        self,
        ledger: Ledger,
        credentials: Credentials,
        clock: Clock,
        hasher: Passwords | None = None,
    ) -> None:
        self._ledger = ledger
        self._credentials = credentials
        self._clock = clock
        self._passwords = hasher or Passwords()

    async def create_admin(self, username: str, email: str, password: str) -> int:
        """A superadmin of the first organization, which is made where there is none; their id.

        Set-up is over then. Raises `Invalid`, `Conflict` (the name is taken).
        """
        username, email = checked_username(username), checked_email(email)
        passwords.check_rule(password, username)
        password_hash = await self._passwords.hash(password)
        now = self._clock.now()
        try:
            async with self._ledger.change() as change:
                farm, _ = await Organization.get_or_create(
                    id=FIRST_ORGANIZATION, defaults={"name": "Farm", "created_at": now}
                )
                if farm.set_up_at is None:
                    await Organization.filter(id=farm.id).update(set_up_at=now)
                user = await User.create(
                    organization_id=farm.id,
                    username=username,
                    email=email,
                    password_hash=password_hash,
                    role=Role.ADMIN,
                    is_superadmin=True,
                    created_at=now,
                )
                entity = ("user", user.id)
                change.note(_by(farm.id), "user.created", entity, username=username, role=user.role)
        except IntegrityError:
            raise Conflict(f"There is somebody called {username} already.") from None
        return int(user.id)

    async def reset_password(
        self, username: str, password: str, *, forget_second_factor: bool = False
    ) -> int:
        """Another password for *username*, whose sessions all end; their id.

        Raises `Invalid`, `NotFound`.
        """
        user = await User.get_or_none(username=username)
        if user is None:
            raise NotFound(f"There is nobody called {username}.")
        passwords.check_rule(password, username)
        password_hash = await self._passwords.hash(password)
        async with self._ledger.change() as change:
            await User.filter(id=user.id).update(password_hash=password_hash)
            await self._credentials.end_ways_in(change, user.id)
            if forget_second_factor:
                await factor_rows.forget_second_factor(user.id)
            by, entity = _by(user.organization_id), ("user", user.id)
            facts = {"way": _CONSOLE, "second_factor_removed": forget_second_factor}
            change.note(by, "user.password_changed", entity, **facts)
        return int(user.id)


def _by(organization_id: int) -> Principal:
    return replace(system(organization_id), username=_CONSOLE)
