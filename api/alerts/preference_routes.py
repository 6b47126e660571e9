"""v1 routes of how people hear of alerts, and of the server's mail (v1 contract, 2.7)."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from quart import Response

from api.alerts.digests import Digests
from api.alerts.letters import DAILY_AT_HOUR
from api.alerts.preferences import TYPES, EmailWhen, Preferences, Wish
from api.clock import iso
from api.config import Settings
from api.describe import Answer, Doc, Instant
from api.errors import Forbidden
from api.http import Body, json_answer, json_body, page_of
from api.v1 import V1, caller

_When = Annotated[
    EmailWhen,
    Field(description=f"Mail at once, every hour, or every day at {DAILY_AT_HOUR:02}:00 UTC"),
]
_Threshold = Annotated[
    float | None,
    Field(ge=0, le=1e9, allow_inf_nan=False, description="Of spool_low: told at so many grams"),
]


class PreferenceBody(Body):
    """How the caller hears of one type of alert; what is absent takes the contract's default."""

    alert_type: str
    in_app: bool = True
    browser_push: bool = False
    email: bool = False
    email_when: _When = EmailWhen.NOW
    threshold_value: _Threshold = None

    @field_validator("alert_type")
    @classmethod
    def _known(cls, text: str) -> str:
        if text not in TYPES:
            raise ValueError(f"one of {', '.join(TYPES)}")
        return text


class PreferencesBody(Body):
    """Types that are not named stay as they are."""

    preferences: Annotated[list[PreferenceBody], Field(max_length=100)]


class MailServerBody(Body):
    """A mail server, in the contract's words."""

    enabled: bool = False
    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    username: str = ""
    password: str = ""
    from_address: str = ""
    use_tls: bool = True


#: A preference is there before anybody has chosen it, so its id is its owner's and its place.
_PLACES = 100


class PreferenceAnswer(Answer):
    """How the caller hears of one type of alert."""

    id: int
    user_id: int
    alert_type: str
    in_app: bool
    browser_push: Annotated[bool, Field(description="Kept for apps that push by themselves")]
    email: bool
    email_when: _When
    threshold_value: _Threshold


class PreferencesSet(Answer):
    """They are kept."""

    status: Literal["ok"]
    updated: int


class QuietAnswer(Answer):
    """When nobody is mailed; times are HH:MM, UTC."""

    enabled: bool
    start: str
    end: str
    until: Annotated[Instant | None, Field(description="Of the quiet time that it is now")]


class DigestStatus(Answer):
    """What is to be mailed to the caller."""

    enabled: Annotated[bool, Field(description="Whether this server sends mail")]
    pending: Annotated[int, Field(description="Alerts that wait for their mail")]
    next_digest_at: Instant | None
    quiet_hours: QuietAnswer


class MailTested(Answer):
    """A mail is on its way."""

    status: Literal["ok"]
    message: str


class MailServerAnswer(Answer):
    """The server that mail is sent by. Its password is never shown."""

    enabled: bool
    host: str
    port: int
    username: str
    password: Literal[""]
    password_set: bool
    from_address: str
    use_tls: bool


class PreferenceRoutes:
    """``/alert-preferences``, ``/smtp-config``, and of ``/alerts`` what is about mail."""

    def __init__(self, preferences: Preferences, digests: Digests, settings: Settings) -> None:
        self._preferences = preferences
        self._digests = digests
        self._settings = settings

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/alert-preferences", self.list, _LIST)
        v1.add("PUT", "/alert-preferences", self.set, _SET)
        v1.add("GET", "/alerts/digest-status", self.digest_status, _STATUS)
        v1.add("POST", "/alerts/test-email", self.test_email, _TEST)
        v1.add("GET", "/smtp-config", self.mail_server, _SERVER)
        v1.add("PUT", "/smtp-config", self.set_mail_server, _SET_SERVER)

    async def list(self) -> Response:
        """The caller's preferences."""
        by = caller()
        wishes = await self._preferences.list(by)
        owner = by.user_id or 0
        shown = [
            {"id": owner * _PLACES + place, "user_id": owner, **asdict(wish)}
            for place, wish in enumerate(wishes, start=1)
        ]
        return page_of(shown, is_whole=True)

    async def set(self) -> Response:
        """Change some of them."""
        body = await json_body(PreferencesBody)
        wishes: Sequence[Wish] = [Wish(**one.model_dump()) for one in body.preferences]
        return json_answer(
            {"status": "ok", "updated": await self._preferences.set(caller(), wishes)}
        )

    async def digest_status(self) -> Response:
        """What waits to be mailed."""
        standing = await self._digests.standing(caller())
        quiet = standing.quiet
        return json_answer(
            {
                "enabled": standing.is_enabled,
                "pending": standing.waiting,
                "next_digest_at": iso(standing.next_at),
                "quiet_hours": {
                    "enabled": quiet.enabled,
                    "start": f"{quiet.start:%H:%M}",
                    "end": f"{quiet.end:%H:%M}",
                    "until": iso(standing.quiet_until),
                },
            }
        )

    async def test_email(self) -> Response:
        """Mail the caller something."""
        address = await self._digests.test(caller())
        return json_answer({"status": "ok", "message": f"A mail to {address} is on its way."})

    async def mail_server(self) -> Response:
        """What is set where the server runs."""
        caller().require("mail.admin")
        return json_answer(_server_view(self._settings))

    async def set_mail_server(self) -> Response:
        """Refused: whoever sets it reads the links by which others set their passwords."""
        caller().require("mail.admin")
        await json_body(MailServerBody)
        raise Forbidden(
            "The mail server is set where this server runs: GANTRY_SMTP_HOST and its like.",
            code="feature_disabled",
        )


def _server_view(settings: Settings) -> dict[str, Any]:
    return {
        "enabled": bool(settings.smtp_host),
        "host": settings.smtp_host,
        "port": settings.smtp_port,
        "username": settings.smtp_username,
        "password": "",
        "password_set": bool(settings.smtp_password),
        "from_address": settings.smtp_from,
        "use_tls": settings.smtp_security != "none",
    }


_LIST = Doc(
    summary="How the caller hears of each type of alert",
    description="All of them, unless `limit` is given.",
    answer=list[PreferenceAnswer],
    right="alerts.read",
    paged=True,
)
_SET = Doc(
    summary="Change how the caller hears of alerts",
    answer=PreferencesSet,
    body=PreferencesBody,
    right="alerts.write",
)
_STATUS = Doc(
    summary="What is to be mailed to the caller, and when",
    answer=DigestStatus,
    right="alerts.read",
)
_TEST = Doc(
    summary="Mail the caller something",
    answer=MailTested,
    right="mail.admin",
    problems=("feature_disabled", "bad_request"),
)
_SERVER = Doc(
    summary="The server that mail is sent by", answer=MailServerAnswer, right="mail.admin"
)
_SET_SERVER = Doc(
    summary="Refused: the mail server is set by GANTRY_SMTP_… where the server runs",
    answer=MailServerAnswer,
    body=MailServerBody,
    right="mail.admin",
    problems=("feature_disabled",),
)
