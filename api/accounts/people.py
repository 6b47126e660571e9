"""What may be typed where people and tokens are made: names, addresses, roles, scopes (v1 1.3)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from api.errors import Forbidden, Invalid
from api.mail.letters import is_address
from api.principal import SCOPES, Principal, Role

_ODD = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
MAX_USERNAME = 100
_MAX_LABEL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A person to be added; to the caller's organization, or by a superadmin to another.

    *groups*: keys of theirs; None: those of the role.
    """

    username: str
    email: str
    password: str
    role: Role
    organization_id: int | None = None
    groups: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """What is to be another way with a person; None leaves it. *current_password* is the caller's.

    *organization_id* and *is_superadmin* are a superadmin's to give. A new *role* without *groups*
    leaves the person in the groups of that role.
    """

    username: str | None = None
    email: str | None = None
    role: Role | None = None
    is_active: bool | None = None
    password: str | None = None
    organization_id: int | None = None
    is_superadmin: bool | None = None
    current_password: str | None = None
    groups: Sequence[str] | None = None

    @property
    def of_standing(self) -> bool:
        """Whether it is about what the person is here, which nobody decides for themselves."""
        standing = (
            *(self.role, self.is_active, self.organization_id),
            *(self.is_superadmin, self.groups),
        )
        return any(one is not None for one in standing)

    @property
    def of_access(self) -> bool:
        """Whether it is about how the person gets in, so worth asking for a password."""
        return self.password is not None or self.email is not None or bool(self.is_superadmin)


def checked_username(text: str) -> str:
    """*text* as it is kept. Raises `Invalid` for nothing, too much, or unprintable characters."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > MAX_USERNAME or _ODD.search(name):
        raise Invalid(f"A user name has 1 to {MAX_USERNAME} printable characters.")
    return name


def checked_email(text: str) -> str:
    """*text* as it is kept; may be empty. Raises `Invalid` for what cannot be one address."""
    address = text.strip()
    if address and not is_address(address):
        raise Invalid("This is not an e-mail address.")
    return address


def checked_label(text: str, what: str) -> str:
    """The name of *what* (a token, an app), as it is kept. Raises `Invalid`."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > _MAX_LABEL or _ODD.search(name):
        raise Invalid(f"{what} needs a name of 1 to {_MAX_LABEL} printable characters.")
    return name


def checked_role(text: str) -> Role:
    """The role named *text*. Raises `Invalid` naming the roles there are."""
    try:
        return Role(text)
    except ValueError:
        raise Invalid(f"role takes one of {', '.join(Role)}.") from None


def scopes_for(by: Principal, wanted: Sequence[str]) -> frozenset[str]:
    """The scopes *wanted* for a token that *by* makes; empty means no limit.

    Raises `Invalid` for an unknown scope, `Forbidden` for more than *by* has.
    """
    scopes = frozenset(wanted)
    unknown = sorted(scopes - set(SCOPES))
    if unknown:
        raise Invalid(f"Unknown scope {unknown[0][:50]!r}. There are: {', '.join(SCOPES)}.")
    if "admin" in scopes and by.role is not Role.ADMIN:
        raise Forbidden("The scope admin is for admins.")
    if "agent:write" in scopes and by.role is Role.VIEWER:
        raise Forbidden("The scope agent:write is for operators and admins.")
    if by.scopes and not (scopes and scopes <= by.scopes):
        raise Forbidden(
            "A token that is limited by scopes makes tokens with some of these scopes only.",
            code="scope_denied",
            allowed_scopes=sorted(by.scopes),
            token_scopes=sorted(scopes),
        )
    return scopes
