"""People who prove elsewhere who they are: known by (issuer, subject) and by nothing else (S63).

A mail address opens no account: it may be given to somebody else tomorrow, and two providers may
say the same of two people. Only where the farm's owner has allowed it, an address that the provider
has verified finds the one account that has it, once; a superadmin's never.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import timedelta

from api.accounts import keys
from api.accounts.credentials import Grant
from api.accounts.directory import Directory
from api.accounts.factor_rows import confirmed_factor
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential, Identity, Organization, User
from api.accounts.office import FIRST_ORGANIZATION
from api.accounts.people import MAX_USERNAME, checked_email, checked_username
from api.accounts.sessions import NOTHING, CameWith, Login, SecondFactorAsked
from api.errors import Conflict, Invalid, NotAuthenticated
from api.events.service import Change
from api.principal import Role, system

SIGN_ON_LIFE = timedelta(minutes=2)
_ODD = re.compile(r"[^\w.@+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Who came. *email* "" unless it was verified there; *name*: how they are called there."""

    issuer: str
    subject: str
    email: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What happens to who was never here. *add*: they get an account, *role* in it.

    *link*: the one account with their verified address is theirs. *trusted*: their address is of a
    domain whose people come in at once; else an admin approves a new account first.
    """

    add: bool
    link: bool
    trusted: bool
    role: Role


class NotHere(Exception):
    """They are who they say, but may not come in: *code* says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Elsewhere(Directory):
    """Who comes from a provider."""

    async def receive(self, arrival: Arrival, welcome: Welcome, state: str, browser: str) -> str:
        """A secret that opens their session, once, in the browser that has *browser*.

        *state* names the login, which is taken once. Raises `NotHere`, `Conflict` for a login that
        was taken before.
        """
        password_hash = await self._passwords.hash(keys.new_key())  # nobody has this password
        sha256 = keys.digest(state)
        kind = CredentialKind.SIGN_ON
        async with self._ledger.change() as change:
            if await Credential.filter(kind=kind, name=sha256).exists():
                raise Conflict("This login was taken before.")
            user = await self._known(arrival)
            if user is None and welcome.link and arrival.email:
                user = await self._linked(change, arrival)
            if user is None and welcome.add:
                user = await self._added(change, arrival, welcome, password_hash)
            if user is not None and user.is_active:
                await self._clear_openers(user.id, kind, self._clock.now() - SIGN_ON_LIFE)
                return await self._code(change, user, sha256, browser)
        raise NotHere("user_not_found" if user is None else "awaiting_approval")

    async def enter_from_elsewhere(
        self, code: str, browser: str, remote: str, agent: str, came_with: CameWith = NOTHING
    ) -> Login:
        """The session for a code of `receive`. Raises `NotAuthenticated`, the same for every
        reason, or `SecondFactorAsked` when the person has one here.
        """
        row = await self._credentials.take_once(CredentialKind.SIGN_ON, code)
        fits = hmac.compare_digest(row.csrf_sha256, keys.digest(browser))
        user = await User.get_or_none(id=row.user_id, is_active=True)
        if not fits or user is None:
            raise NotAuthenticated("Not authenticated")
        async with self._ledger.change() as change:
            await self._credentials.spend(change, row)
            if await confirmed_factor(user.id) is None:
                return await self._let_in(change, user, remote, agent, came_with)
        raise SecondFactorAsked(await self._half_login(user, remote))

    async def _known(self, arrival: Arrival) -> User | None:
        found = await Identity.get_or_none(issuer=arrival.issuer, subject=arrival.subject)
        user = None if found is None else await User.get_or_none(id=found.user_id)
        if found is not None and user is None:
            await found.delete()  # the account was removed: they are nobody here again
        return user

    async def _linked(self, change: Change, arrival: Arrival) -> User | None:
        """The account with their verified address, which from now on is theirs."""
        people = await User.filter(email__iexact=arrival.email, is_active=True).limit(2)
        if len(people) != 1 or people[0].is_superadmin:
            return None
        (user,) = people
        if await Identity.filter(user_id=user.id, issuer=arrival.issuer).exists():
            return None  # somebody else at that provider has this address now
        await self._identify(user, arrival)
        by = system(user.organization_id)
        change.note(by, "user.linked", ("user", user.id), issuer=arrival.issuer)
        await self.tell(change, user, "sign_on")
        return user

    async def _added(
        self, change: Change, arrival: Arrival, welcome: Welcome, password_hash: str
    ) -> User:
        trusted = welcome.trusted and bool(arrival.email)
        if not await Organization.filter(id=FIRST_ORGANIZATION).exists():
            raise NotHere("user_not_found")  # nobody has set this farm up yet
        user = await User.create(
            organization_id=FIRST_ORGANIZATION,
            username=await _free_name(arrival.name),
            email=_email(arrival.email),
            password_hash=password_hash,
            role=welcome.role,
            is_active=trusted,
            created_at=self._clock.now(),
        )
        await self._identify(user, arrival)
        facts = {"role": str(welcome.role), "issuer": arrival.issuer, "is_active": trusted}
        change.note(system(FIRST_ORGANIZATION), "user.created", ("user", user.id), **facts)
        return user

    async def _identify(self, user: User, arrival: Arrival) -> None:
        await Identity.create(
            user_id=user.id,
            issuer=arrival.issuer,
            subject=arrival.subject,
            created_at=self._clock.now(),
        )

    async def _code(self, change: Change, user: User, sha256: str, browser: str) -> str:
        grant = Grant(
            user=user,
            kind=CredentialKind.SIGN_ON,
            name=sha256,
            expires_at=self._clock.now() + SIGN_ON_LIFE,
            csrf_token=browser,
        )
        row = None
        while row is None:  # the public prefix is short, so two can meet
            code = keys.new_key()
            row = await self._credentials.add(change, code, grant)
        return code


async def _free_name(wanted: str) -> str:
    """A user name like *wanted* that nobody has."""
    base = _ODD.sub(".", wanted.partition("@")[0]).strip(".") or "somebody"
    base = base[: MAX_USERNAME - 8]
    try:
        base = checked_username(base)
    except Invalid:
        base = "somebody"
    name, number = base, 1
    while await User.filter(username=name).exists():
        number += 1
        name = f"{base}{number}"
    return name


def _email(text: str) -> str:
    """*text* as it is kept; "" for what is no address here."""
    try:
        return checked_email(text)
    except Invalid:
        return ""
