"""Set-up: the first admin, made once, by whoever can read the machine's disk (v1 1.2; safety S03).

No peer address is proof of anything: a proxy on the same machine makes everybody local. Who may set
up is who knows the set-up token. It is `GANTRY_SETUP_TOKEN`, or else made at start and kept in
`setup.token` (0600) in the data directory until the first admin exists.
"""

import hmac
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from tortoise.exceptions import IntegrityError

from api.accounts.models import Organization, User
from api.accounts.office import FIRST_ORGANIZATION
from api.accounts.people import checked_email, checked_username
from api.accounts.sessions import Login, Sessions
from api.errors import Forbidden
from api.principal import Principal, Role

TOKEN_FILE = "setup.token"  # noqa: S105  a file's name

_log = logging.getLogger("gantry.accounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupState:
    """How far the first hour has come."""

    has_users: bool
    is_complete: bool


class FirstHour(Sessions):
    """Until there is somebody."""

    async def setup_needed(self) -> bool:
        """True until the first admin is made."""
        return not await User.exists()

    async def setup_state(self) -> SetupState:
        """Whether there are people, and whether the set-up was declared complete."""
        farm = await Organization.get_or_none(id=FIRST_ORGANIZATION)
        completed = farm is not None and farm.completed_at is not None
        return SetupState(has_users=await User.exists(), is_complete=completed)

    async def offer_setup(self) -> None:
        """At start: lay the set-up token ready while there is nobody, and take it away later."""
        if not await self.setup_needed():
            self._token_path.unlink(missing_ok=True)
        elif not self._settings.setup_token:
            self._setup_token()
            _log.info("set-up is open; its token is in %s", self._token_path)

    async def check_setup_token(self, given: str) -> None:
        """Raises `Forbidden`: setup_complete once there is somebody, else setup_token_required."""
        if not await self.setup_needed():
            raise _already_set_up()
        if not hmac.compare_digest(self._setup_token().encode(), given.strip().encode()):
            raise Forbidden(
                f"Set-up needs its token: the content of {TOKEN_FILE} in the API's data directory "
                "(or GANTRY_SETUP_TOKEN), as the field setup_token or the header X-Setup-Token.",
                code="setup_token_required",
            )

    async def setup(self, username: str, email: str, password: str, remote: str) -> Login:
        """Make the first admin and log them in. Works exactly once, however many try at a time.

        Who may is `check_setup_token`'s business. Raises `Invalid`, or `Forbidden`
        (setup_complete) when somebody was first.
        """
        username, email = checked_username(username), checked_email(email)
        await self.check_new_password(password, username, FIRST_ORGANIZATION)
        if not await self.setup_needed():
            raise _already_set_up()
        password_hash = await self._passwords.hash(password)
        async with self._ledger.change() as change:
            await self._claim_setup()
            user = await User.create(
                organization_id=FIRST_ORGANIZATION,
                username=username,
                email=email,
                password_hash=password_hash,
                role=Role.ADMIN,
                is_superadmin=True,
                created_at=self._clock.now(),
            )
            login = await self._open_session(change, user, remote, "")
            change.note(login.principal, "user.created", ("user", user.id), role=Role.ADMIN)
        self._token_path.unlink(missing_ok=True)
        return login

    async def complete_setup(self, by: Principal) -> None:
        """Declare the set-up complete. Raises `Forbidden` (setup_complete) the second time."""
        by.require("users.admin")
        async with self._ledger.change() as change:
            farm = Organization.filter(id=FIRST_ORGANIZATION, completed_at=None)
            if not await farm.update(completed_at=self._clock.now()):
                raise _already_set_up()
            change.note(by, "setup.completed")

    async def _claim_setup(self) -> None:
        """Only one of many may go on, on every database: the conditional update decides."""
        now = self._clock.now()
        try:
            if not await Organization.filter(id=FIRST_ORGANIZATION).exists():
                await Organization.create(id=FIRST_ORGANIZATION, name="Farm", created_at=now)
        except IntegrityError:
            raise _already_set_up() from None
        claimed = await Organization.filter(id=FIRST_ORGANIZATION, set_up_at=None).update(
            set_up_at=now
        )
        if not claimed or await User.exists():
            raise _already_set_up()

    @property
    def _token_path(self) -> Path:
        return self._settings.data_dir.absolute() / TOKEN_FILE

    def _setup_token(self) -> str:
        """The token; made in its file when there is none yet, even in a race."""
        if self._settings.setup_token:
            return self._settings.setup_token
        path = self._token_path
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # another process was first: its token counts
            finally:
                draft.unlink()
        return path.read_text(encoding="ascii").strip()


def _already_set_up() -> Forbidden:
    return Forbidden("Setup already completed", code="setup_complete")
