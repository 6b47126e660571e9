"""Whether jobs of people who may not start prints wait for approval (v1 contract, 4.1).

A setting of the organization, off by default. What only may be uploaded always waits for it.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from api.principal import Principal

SETTING = "jobs.requireApproval"


class SettingsRoom(Protocol):
    """What this needs of the accounts."""

    async def organization_settings(self, organization_id: int) -> Mapping[str, Any]:
        """All settings of an organization, by name."""

    async def set_organization_setting(
        self, by: Principal, organization_id: int, name: str, value: Any
    ) -> None:
        """Keep a setting. Raises `Forbidden` for who is not an admin."""


class Approval:
    """The rule, for everybody who asks."""

    def __init__(self, settings: SettingsRoom) -> None:
        self._settings = settings

    async def is_required(self, organization_id: int) -> bool:
        """Whether jobs of viewers wait for approval."""
        return bool((await self._settings.organization_settings(organization_id)).get(SETTING))

    async def applies_to(self, by: Principal) -> bool:
        """Whether a job of this caller waits for approval."""
        return not by.may("jobs.write") and await self.is_required(by.organization_id)

    async def require(self, by: Principal, *, enabled: bool) -> None:
        """Switch the rule. Raises `Forbidden`."""
        kept = True if enabled else None
        await self._settings.set_organization_setting(by, by.organization_id, SETTING, kept)
