"""What the routes of the room take (v1 2.1, 2.2). Unknown fields are ignored."""

from typing import Annotated, Literal

from pydantic import Field, RootModel, StringConstraints, model_validator

from api.accounts.periods import Period
from api.http import Body, RowId
from api.mail.letters import MAX_ADDRESS
from api.principal import Role

_Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
_Link = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=500)]
_RoleName = Annotated[str, Field(json_schema_extra={"enum": [str(role) for role in Role]})]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=50)]
_Short = Annotated[str, StringConstraints(max_length=100)]


class SetupBody(Body):
    """The first admin, who may do everything."""

    username: str
    email: str
    password: str
    role: Annotated[Literal["admin"], Field(description="The first account is always an admin")] = (
        "admin"
    )
    setup_token: str = Field("", description="Or as the header X-Setup-Token")


class LoginBody(Body):
    """A name and a password, as JSON or as a form."""

    username: str
    password: str


class CodeBody(Body):
    """A code of the second factor, or a recovery code."""

    code: Annotated[str, Field(min_length=1, max_length=64)]


class DeviceBody(Body):
    """What a device opens a session with."""

    refresh_token: Annotated[str, Field(max_length=2048)]
    device_id: Annotated[str, Field(max_length=100)]


class FactorRuleBody(Body):
    """Whether a second factor is required; both names are one field."""

    require_mfa: bool | None = None
    enabled: bool | None = Field(None, description="The same as `require_mfa`")

    @model_validator(mode="after")
    def _said(self) -> "FactorRuleBody":
        if self.require_mfa is None and self.enabled is None:
            raise ValueError("require_mfa is missing")
        return self

    def wanted(self) -> bool:
        """What was asked for."""
        return bool(self.enabled if self.require_mfa is None else self.require_mfa)


class CodeOfLoginBody(CodeBody):
    """The second half of a login."""

    mfa_token: Annotated[str, Field(max_length=2048, description="The `access_token` of login")]


class PasswordBody(Body):
    """The caller's password, again."""

    password: str


class PasswordChangeBody(Body):
    """A new password for the caller."""

    current_password: str
    new_password: str = Field(description="8 characters or more, and not one of the usual ones")


class TokenBody(Body):
    """A token to be made. *expires_days* null: for ever."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(max_length=50, default_factory=list)]
    expires_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class UserBody(Body):
    """A person to be added; *group_id*: to another organization, by a superadmin."""

    username: str
    email: str
    password: str = Field("", description="8 characters or more, and not one of the usual ones")
    role: _RoleName = "operator"
    group_id: RowId | None = None
    send_welcome_email: bool = Field(
        False, description="Mail them a link by which they choose their password"
    )


class ForgottenBody(Body):
    """Who forgot a password."""

    email: Annotated[str, Field(max_length=MAX_ADDRESS)]


class PasswordByMailBody(Body):
    """A new password for whoever got the token by mail."""

    token: Annotated[str, Field(max_length=200)]
    new_password: str = Field(description="8 characters or more, and not one of the usual ones")


class UserChangeBody(Body):
    """What is to be another way; null leaves it.

    *current_password*: the caller's own; asked for with their own password or e-mail, and with
    those of an admin.
    """

    username: str | None = None
    email: str | None = None
    role: _RoleName | None = None
    is_active: bool | None = None
    password: str | None = None
    group_id: RowId | None = None
    is_superadmin: bool | None = None
    current_password: str | None = None


class OrganizationBody(Body):
    """An organization to be added."""

    name: str
    description: str = Field("", max_length=500)
    owner_id: RowId | None = None


class OrganizationChangeBody(Body):
    """What is to be another way; null leaves it."""

    name: str | None = None
    description: Annotated[str | None, Field(max_length=500)] = None
    owner_id: RowId | None = None


class MemberBody(Body):
    """Who is to belong here."""

    user_id: RowId


class OrganizationSettingsBody(Body):
    """Settings to be kept; null clears one, what is absent stays. Times are HH:MM, UTC."""

    default_filament_type: _Short | None = None
    default_filament_color: _Short | None = None
    quiet_hours_enabled: bool | None = None
    quiet_hours_start: _Clock | None = None
    quiet_hours_end: _Clock | None = None
    webhook_url: _Link | None = None
    webhook_type: _Short | None = None
    branding_app_name: _Short | None = None
    branding_logo_url: _Link | None = None


class QuotaBody(Body):
    """How much may be used in a period; null for no limit, what is absent stays."""

    quota_grams: Annotated[float | None, Field(ge=0, le=1e9, allow_inf_nan=False)] = None
    quota_hours: Annotated[float | None, Field(ge=0, le=1e6, allow_inf_nan=False)] = None
    quota_jobs: Annotated[int | None, Field(ge=0, le=10**9)] = None
    quota_period: Period | None = None


class OrganizationQuotaBody(QuotaBody):
    """The same for an organization, and how much it may store."""

    quota_storage_bytes: Annotated[int | None, Field(ge=0, le=2**53)] = None


_Look = Annotated[str, StringConstraints(max_length=1000)]
_Size = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=-(10**9), le=10**9)]


class ThemeBody(
    RootModel[Annotated[dict[_Name, _Look | bool | _Count | _Size | None], Field(max_length=100)]]
):
    """How a dashboard looks, in the dashboard's own words; kept as it is, whole."""
