"""What the routes of the room answer (v1 2.1, 2.4, 2.12)."""

from typing import Annotated, Literal

from pydantic import Field

from api.describe import Answer

_Nothing = Annotated[None, Field(description="Nothing of the kind here")]


class LicenseAnswer(Answer):
    """What may be used: everything, by anybody, without a key."""

    valid: Literal[True]
    tier: Literal["unlimited"]
    tier_name: str
    key: _Nothing
    licensee: _Nothing
    email: _Nothing
    issued_at: _Nothing
    expires_at: _Nothing
    expired: Literal[False]
    max_printers: Annotated[None, Field(description="As many as there are")]
    max_users: Annotated[None, Field(description="As many as there are")]
    features: list[str] = Field(description="What others sell by tier and is here for all")
    error: _Nothing
    installation_id: _Nothing


class BrandingAnswer(Answer):
    """How the farm calls itself."""

    app_name: str
    app_subtitle: str
    logo_url: str | None
    favicon_url: _Nothing


class LanguageAnswer(Answer):
    """The language of what the server says."""

    language: Literal["en"]


class SwitchAnswer(Answer):
    """Whether something is on."""

    enabled: bool
