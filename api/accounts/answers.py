"""What the routes of the room answer (v1 1.2, 1.3, 2.1, 2.2)."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.describe import Answer, Instant

RoleName = Literal["viewer", "operator", "admin"]
_Group = Annotated[int | None, Field(description="The organization; null for a superadmin")]


class StatusAnswer(Answer):
    """That it is done."""

    status: Literal["ok"]


class SetupStatusAnswer(Answer):
    """How far the first hour has come."""

    needs_setup: bool = Field(description="Nobody is here yet")
    has_users: bool
    is_complete: bool = Field(description="Somebody declared the set-up complete")


class SetupCompleteAnswer(Answer):
    """That the set-up is complete."""

    status: Literal["complete"]


class TokenPairAnswer(Answer):
    """A session. The same token is in the cookie `session`."""

    access_token: str = Field(description="For `Authorization: Bearer`; a JWT (HS256)")
    token_type: Literal["bearer"]


class LoginAnswer(TokenPairAnswer):
    """A session; or, with `mfa_required`, what `POST /auth/mfa/verify` takes with a code; or, with
    `mfa_setup_required`, what `POST /auth/mfa/setup` and `/confirm` take, and nothing else does.
    """

    mfa_required: bool = Field(False, description="The token opens nothing without a code")
    mfa_setup_required: bool = Field(False, description="Set a second factor up first")


class FactorRuleAnswer(Answer):
    """Whether the people of this organization log in with a second factor only."""

    require_mfa: bool


class DeviceTokenAnswer(Answer):
    """What a device opens sessions with; the only answer that holds it."""

    refresh_token: str
    expires_at: Instant
    device_id: str


class DeviceSessionAnswer(TokenPairAnswer):
    """A session of the device's owner."""


class FactorAnswer(Answer):
    """Whether the caller has a second factor."""

    mfa_enabled: bool
    recovery_codes_left: int


class NewFactorAnswer(Answer):
    """What an authenticator app needs; the only answer that holds it."""

    secret: str = Field(description="Base 32, to be typed")
    provisioning_uri: str = Field(description="otpauth://…, to be shown as a QR code")
    qr_code: str = Field(description="provisioning_uri as a picture: data:image/png;base64,…")


class FactorConfirmedAnswer(StatusAnswer):
    """That codes are asked for from now on; the only answer that holds the recovery codes."""

    mfa_enabled: Literal[True]
    recovery_codes: list[str] = Field(description="Each stands for a code, once")
    access_token: str = Field(
        "", description="A session, for who came only to set the second factor up"
    )
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  a type, not a secret


class LogoutAnswer(Answer):
    """That the session is over."""

    detail: str


class MeAnswer(Answer):
    """Who asks."""

    id: int
    username: str
    email: str
    role: RoleName
    group_id: _Group
    organization_id: int = Field(description="Where the caller's own rows are")
    is_superadmin: bool


class CapabilitiesAnswer(Answer):
    """What a login page may offer."""

    smtp_enabled: bool = Field(description="Whether this server sends mail")


class TicketAnswer(Answer):
    """A ticket for one websocket."""

    token: str = Field(description="Opens one websocket, once, within 30 seconds")
    expires_in: int = Field(description="Seconds")


class TokenAnswer(Answer):
    """An API token, without its secret."""

    id: int
    name: str
    prefix: str = Field(description="Its first 10 characters")
    scopes: list[str] = Field(description="Empty: whatever its owner may do")
    expires_at: Instant | None
    last_used_at: Instant | None
    created_at: Instant


class NewTokenAnswer(Answer):
    """A new API token; the only answer that holds its secret."""

    id: int
    name: str
    prefix: str = Field(description="Its first 10 characters")
    scopes: list[str] = Field(description="Empty: whatever its owner may do")
    expires_at: Instant | None
    created_at: Instant
    token: str = Field(description="`odin_` and 43 characters; shown this once")


class SessionAnswer(Answer):
    """An open session."""

    id: int
    ip_address: str
    user_agent: str
    created_at: Instant
    last_seen_at: Instant = Field(description="To the minute")
    is_current: bool = Field(description="The one that asks")


class AnySessionAnswer(SessionAnswer):
    """An open session of somebody."""

    user_id: int
    username: str


class RevokedAnswer(Answer):
    """How many sessions ended."""

    status: Literal["ok"]
    revoked: int


class UserAnswer(Answer):
    """A person."""

    id: int
    username: str
    email: str
    role: RoleName
    is_active: Literal[0, 1]
    last_login: Instant | None
    created_at: Instant
    group_id: _Group
    organization_id: int
    is_superadmin: bool


class UserCreatedAnswer(Answer):
    """The person that was added."""

    status: Literal["created"]
    id: int


class UserUpdatedAnswer(Answer):
    """That the person was changed."""

    status: Literal["updated"]


class UserDeletedAnswer(Answer):
    """That the person was removed."""

    status: Literal["deleted"]


class UserErasedAnswer(Answer):
    """That nobody can tell any more who it was."""

    status: Literal["erased"]
    message: str


class ImportFault(Answer):
    """A row that was not taken."""

    row: int = Field(description="Of the file; the first person is in row 2")
    reason: str


class ImportAnswer(Answer):
    """What became of a list of people."""

    created: int
    skipped: int = Field(description="Names that are taken")
    errors: list[ImportFault]


class SubmittedJob(Answer):
    """A job that a person made."""

    id: int
    item_name: str
    status: str
    created_at: Instant


class Act(Answer):
    """Something that a person did."""

    timestamp: Instant
    action: str
    entity_type: str
    entity_id: str
    ip_address: str


class QuotaUsed(Answer):
    """What was used in the period."""

    grams_used: float = Field(description="Filament, in grams")
    hours_used: float = Field(description="Printing, in hours")
    jobs_used: int = Field(description="Jobs that were made")


class QuotaAnswer(Answer):
    """How much may be used in a period, and what was; null: no limit."""

    quota_grams: float | None = Field(description="Filament, in grams")
    quota_hours: float | None = Field(description="Printing, in hours")
    quota_jobs: int | None
    quota_period: Literal["daily", "weekly", "monthly", "yearly"]
    usage: QuotaUsed
    period_key: str = Field(description="The period, as in 2026-11; in UTC")


class QuotaOfPersonAnswer(QuotaAnswer):
    """Somebody's quota."""

    user_id: int
    username: str


class OrganizationUsed(QuotaUsed):
    """What an organization used in the period, and stores now."""

    storage_bytes_used: int


class OrganizationQuotaAnswer(QuotaAnswer):
    """The quota of an organization, for all of its people together."""

    usage: OrganizationUsed
    quota_storage_bytes: int | None = Field(description="Of files; no period")


class ExportAnswer(Answer):
    """What is kept of a person."""

    exported_at: Instant
    user: UserAnswer
    jobs_submitted: list[SubmittedJob]
    audit_log_entries: list[Act] = Field(description="The last 1000, newest first")
    active_sessions: list[SessionAnswer]
    api_tokens: list[TokenAnswer]
    settings: dict[str, Any] = Field(description="What clients keep for them, the theme included")
    alert_preferences: list[Any] = Field(description="Which alerts they asked for")
    quota_usage: QuotaAnswer


class OrganizationAnswer(Answer):
    """An organization."""

    id: int
    name: str
    description: str
    owner_id: int | None
    member_count: int
    created_at: Instant
    has_settings: bool = Field(description="Whether anything is set for it")


class OrganizationCreatedAnswer(Answer):
    """The organization that was added."""

    id: int
    name: str
    status: Literal["ok"]


class GroupAnswer(Answer):
    """An organization, as v1's groups show it."""

    id: int
    name: str
    description: str
    owner_id: int | None
    created_at: Instant
    updated_at: Instant
    owner_username: str | None
    member_count: int


class OrganizationSettingsAnswer(Answer):
    """The settings of an organization; null where nothing is set."""

    default_filament_type: str | None
    default_filament_color: str | None
    quiet_hours_enabled: bool | None
    quiet_hours_start: str | None = Field(description="HH:MM, UTC")
    quiet_hours_end: str | None = Field(description="HH:MM, UTC")
    webhook_url: str | None
    webhook_type: str | None
    branding_app_name: str | None
    branding_logo_url: str | None
