"""What the routes of the room take (v1 2.1, 2.2). Unknown fields are ignored."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.http import Body
from api.sign_on.config import MAX_DOMAINS

_Url = Annotated[str, StringConstraints(max_length=500)]
_Short = Annotated[str, StringConstraints(max_length=200)]
_Tenant = Annotated[str, StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9.-]*$")]
_Domain = Annotated[
    str, StringConstraints(max_length=253, pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$")
]


class OidcBody(Body):
    """What is to be another way; what is absent or null stays."""

    is_enabled: bool | None = None
    display_name: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    client_id: _Short | None = None
    client_secret: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        None, description='Kept encrypted and never answered; "" takes it away'
    )
    tenant_id: _Tenant | None = Field(None, description="Of Microsoft Entra, for its address")
    discovery_url: _Url | None = Field(
        None, description="The issuer's address and /.well-known/openid-configuration"
    )
    scopes: _Short | None = None
    auto_create_users: bool | None = None
    default_role: Literal["viewer", "operator", "admin"] | None = None
    link_verified_email: bool | None = Field(
        None, description="Who has a verified address of exactly one account here gets that"
    )
    allowed_domains: Annotated[list[_Domain], Field(max_length=MAX_DOMAINS)] | None = Field(
        None, description="New accounts of these verified domains need no approval"
    )


class ExchangeBody(Body):
    """What the browser was given on its way back."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=200)]
