"""What people can do with their mailbox: set a password that they forgot, or their first one.

A link holds a secret that is made when the mail is sent, kept as a hash, good once and for a while.
Asking answers the same, and does the same work, for everybody, known or not (v1 2.1; safety S06,
S10, S14): a row for the outbox is written, and who it is for is looked up when it is sent.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from api.accounts import keys
from api.accounts.credentials import Grant
from api.accounts.directory import INVITATION, Directory, check_rank
from api.accounts.keys import CredentialKind
from api.accounts.models import User
from api.accounts.people import NewUser, checked_email
from api.errors import Forbidden, Invalid, NotAuthenticated
from api.mail.letters import Mail
from api.principal import Principal, system

LINK_LIFE = timedelta(hours=1)
INVITATION_LIFE = timedelta(days=7)
_MOST_NAMES = 5  # of one address that are mailed

#: Kinds of mail.
FORGOTTEN, RESET, NOTICE = "forgotten", "reset", "notice"

#: What a notice says has happened, by its name.
_NOTICES = {
    "password": "The password of your account {username} was changed.",
    "email": "The e-mail address of your account {username} was changed; this was the old one.",
    "mfa_on": "A second factor is asked for at logins to your account {username} from now on.",
    "sign_on": "Your account {username} was linked with the farm's single sign-on.",
    "mfa_off": "The second factor of your account {username} was taken away.",
}
_NOT_YOU = "If it was not you, talk to an admin of the farm at once."


class ByMail(Directory):
    """Passwords by mail."""

    def write_mail(self) -> None:
        """Say what the mails of this room say."""
        self.post.compose(FORGOTTEN, self._forgotten)
        self.post.compose(RESET, self._reset)
        self.post.compose(INVITATION, self._invitation)
        self.post.compose(NOTICE, self._notice)

    async def forgot_password(self, address: str, remote: str) -> None:
        """Mail a link to whoever has this address. Raises `Invalid` for what is no address,
        `TooMany`, `Forbidden` (feature_disabled) on a server that sends no mail.
        """
        self._require_mail()
        email = checked_email(address)
        if not email:
            raise Invalid("This is not an e-mail address.")
        subject = f"a link for {email.casefold()}"
        await self._throttle.begin(subject, remote, known_device=False)
        async with self._ledger.change() as change:
            await self.post.put(change, FORGOTTEN, email)

    async def mail_reset(self, by: Principal, user_id: int) -> None:
        """Mail somebody a link to set their password. Raises `NotFound`, `Invalid` without an
        address, `Forbidden` (a superadmin, or feature_disabled).
        """
        by.require("users.admin")
        user = await self.user(by, user_id)
        check_rank(by, user)
        self._require_mail()
        if not user.email:
            raise Invalid(f"{user.username} has no e-mail address.")
        async with self._ledger.change() as change:
            await self.post.put(change, RESET, user.email, user_id=user.id)
            change.note(by, "user.reset_mailed", ("user", user.id))

    async def invite(self, by: Principal, new: NewUser) -> User:
        """Add a person; with no password they choose it by the link that is mailed to them.

        Raises as `create_user`, `Invalid` without an address, `Forbidden` (feature_disabled).
        """
        by.require("users.admin")
        self._require_mail()
        if not checked_email(new.email):
            raise Invalid("An invitation needs an e-mail address.")
        chosen = new if new.password else replace(new, password=keys.new_key())
        return await self.create_user(by, chosen, invited=True)

    async def reset_password(self, token: str, new: str) -> None:
        """Set the password of whoever got *token* by mail; every session of theirs ends.

        A second factor stays what it is. Raises `Invalid`, the same for every bad token.
        """
        try:
            row = await self._credentials.take_once(CredentialKind.MAIL_TOKEN, token)
        except NotAuthenticated:
            raise _no_link() from None
        user = await User.get_or_none(id=row.user_id, is_active=True)
        if user is None:
            raise _no_link()
        await self.check_new_password(new, user.username, user.organization_id)
        password_hash = await self._passwords.hash(new)
        themselves = replace(system(user.organization_id), user_id=user.id, username=user.username)
        try:
            async with self._ledger.change() as change:
                await self._credentials.spend(change, row)
                await User.filter(id=user.id).update(password_hash=password_hash)
                await self._credentials.end_ways_in(change, user.id)
                change.note(themselves, "user.password_changed", ("user", user.id), way="mail")
                await self.tell(change, user, "password")
        except NotAuthenticated:
            raise _no_link() from None

    def _require_mail(self) -> None:
        if not self.post.is_open:
            raise Forbidden(
                "This server sends no mail (GANTRY_SMTP_HOST is not set): ask an admin.",
                code="feature_disabled",
            )

    # What they say

    async def _forgotten(self, address: str, facts: Mapping[str, Any]) -> Mail | None:
        del facts
        found = User.filter(email__iexact=address, is_active=True).order_by("id")
        links = [
            f"{user.username}:\n{await self._link(user, LINK_LIFE)}"
            for user in await found.limit(_MOST_NAMES)
        ]
        if not links:
            return None
        return _link_mail("Set a new password", "\n\n".join(links), "an hour")

    async def _reset(self, address: str, facts: Mapping[str, Any]) -> Mail | None:
        user = await self._addressee(address, facts)
        if user is None:
            return None
        link = f"{user.username}:\n{await self._link(user, LINK_LIFE)}"
        return _link_mail("Set a new password", link, "an hour")

    async def _invitation(self, address: str, facts: Mapping[str, Any]) -> Mail | None:
        user = await self._addressee(address, facts)
        if user is None:
            return None
        link = f"Your name there is {user.username}.\n{await self._link(user, INVITATION_LIFE)}"
        return _link_mail("You are invited to a print farm", link, "a week")

    async def _notice(self, address: str, facts: Mapping[str, Any]) -> Mail | None:
        text = _NOTICES[facts["what"]].format(username=facts["username"])
        return Mail(subject="Your account was changed", text=f"{text}\n\n{_NOT_YOU}\n")

    async def _addressee(self, address: str, facts: Mapping[str, Any]) -> User | None:
        """Whom the mail is for, if they still have that address."""
        return await User.get_or_none(id=facts["user_id"], email=address, is_active=True)

    async def _link(self, user: User, life: timedelta) -> str:
        """A link with a new secret; those before it work no more. In its fragment, which browsers
        send to nobody.
        """
        async with self._ledger.change() as change:
            await self._credentials.revoke_in(
                change, user_id=user.id, kind=CredentialKind.MAIL_TOKEN
            )
            grant = Grant(
                user=user,
                kind=CredentialKind.MAIL_TOKEN,
                expires_at=self._clock.now() + life,
            )
            row = None
            while row is None:  # the public prefix is short, so two can meet
                secret = keys.new_key()
                row = await self._credentials.add(change, secret, grant)
        return f"{self._settings.public_url.rstrip('/')}/reset-password#token={secret}"


def _link_mail(subject: str, links: str, life: str) -> Mail:
    text = (
        f"{subject}.\n\n{links}\n\n"
        f"A link works once, within {life}. If you did not ask for it, do nothing.\n"
    )
    return Mail(subject=subject, text=text)


def _no_link() -> Invalid:
    return Invalid("This link does not work, or not any more: ask for another one.")
