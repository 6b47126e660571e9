"""What the routes of the room answer (v1 2.1, 2.2)."""

from typing import Literal

from pydantic import Field

from api.describe import Answer


class OfferAnswer(Answer):
    """What a login page offers."""

    enabled: bool
    display_name: str | None


class OidcAnswer(Answer):
    """How the farm knows its provider; the secret is never answered."""

    configured: bool
    is_enabled: bool
    display_name: str
    client_id: str
    has_client_secret: bool
    tenant_id: str
    discovery_url: str
    scopes: str
    auto_create_users: bool
    default_role: str
    link_verified_email: bool
    allowed_domains: list[str]
    redirect_uri: str = Field(description="To be registered at the provider")


class OidcSetAnswer(Answer):
    """It is set."""

    success: Literal[True]
