"""How the farm knows its provider (v1 2.2 `/admin/oidc`), as a superadmin has set it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.errors import Invalid
from api.principal import Role
from api.sign_on.tokens import WELL_KNOWN, is_url

OIDC = "oidc"
MAX_DOMAINS = 50
_TENANTS = "https://login.microsoftonline.com/{}/v2.0" + WELL_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """*sealed*: the client's secret, encrypted; "" for none (a public client, by PKCE alone).

    *allowed_domains*: whose verified people come in at once when accounts are made for them.
    """

    is_enabled: bool = False
    display_name: str = "Single Sign-On"
    client_id: str = ""
    tenant_id: str = ""
    discovery_url: str = ""
    scopes: str = "openid profile email"
    auto_create_users: bool = False
    default_role: str = Role.VIEWER
    link_verified_email: bool = False
    allowed_domains: Sequence[str] = ()
    sealed: str = ""

    @property
    def where(self) -> str:
        """The address of the discovery document."""
        return self.discovery_url or (_TENANTS.format(self.tenant_id) if self.tenant_id else "")

    def trusts(self, email: str) -> bool:
        """Whether *email*, verified, is of a domain whose people come in at once."""
        domain = email.rpartition("@")[2].lower()
        return bool(domain) and domain in {one.lower() for one in self.allowed_domains}


def config_of(kept: Mapping[str, Any]) -> Config:
    """The configuration as it is kept."""
    names = Config.__dataclass_fields__
    return Config(**{name: value for name, value in kept.items() if name in names})


def check(config: Config, public_url: str, *, insecure: bool) -> None:
    """That people can be sent there. Raises `Invalid` naming the field or setting."""
    if "openid" not in config.scopes.split():
        raise Invalid("scopes must name openid: without it the provider says nothing of people.")
    if config.where and not is_url(config.where, insecure=insecure):
        raise Invalid("discovery_url takes an https:// URL without user, password or #.")
    if config.where and not config.where.endswith(WELL_KNOWN):
        raise Invalid(f"discovery_url ends with {WELL_KNOWN}.")
    if not config.is_enabled:
        return
    if not public_url:
        raise Invalid(
            "GANTRY_PUBLIC_URL is not set: the provider must send people back to an address that "
            "is registered there."
        )
    for name, value in (("client_id", config.client_id), ("discovery_url", config.where)):
        if not value:
            raise Invalid(f"{name} is missing: single sign-on cannot be enabled without it.")
