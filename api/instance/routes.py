"""What a user interface of v1 asks at its start, answered as it is here (v1 2.1, 2.4, 2.12).

There are no tiers: an interface that hears so shows none.
The farm's name and logo are those that its first organization has set (`PUT /orgs/1/settings`).
"""

from collections.abc import Mapping
from typing import Any, Protocol

from quart import Response

from api.describe import Doc
from api.http import json_answer
from api.instance import answers
from api.v1 import V1, Handler

#: What the dialect's other server has in higher tiers only, by its names.
FEATURES = ("job_approval", "user_groups", "usage_reports")
_LICENSE = {
    "valid": True,
    "tier": "unlimited",
    "tier_name": "Unlimited",
    "key": None,
    "licensee": None,
    "email": None,
    "issued_at": None,
    "expires_at": None,
    "expired": False,
    "max_printers": None,
    "max_users": None,
    "features": list(FEATURES),
    "error": None,
    "installation_id": None,
}
#: What never changes while the server runs: (path, summary, type, answer, right; None: for all).
_FIXED: tuple[tuple[str, str, type, Mapping[str, Any], str | None], ...] = (
    ("/license", "What may be used: everything", answers.LicenseAnswer, _LICENSE, None),
    (
        "/settings/language",
        "The server's language",
        answers.LanguageAnswer,
        {"language": "en"},
        None,
    ),
    ("/settings/education-mode", "Off", answers.SwitchAnswer, {"enabled": False}, None),
)
_BRANDING = Doc(summary="How the farm calls itself", answer=answers.BrandingAnswer)


class Names(Protocol):
    """Who knows how the farm calls itself."""

    async def organization_settings(self, organization_id: int) -> Mapping[str, Any]:
        """Settings of an organization by name."""


class InstanceRoutes:
    """License, branding, language."""

    def __init__(self, names: Names, first_organization: int) -> None:
        self._names = names
        self._first = first_organization

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        for path, summary, kind, answer, right in _FIXED:
            doc = Doc(summary=summary, answer=kind, right=right)
            v1.add("GET", path, _saying(answer), doc, public=right is None)
        v1.add("GET", "/branding", self.branding, _BRANDING, public=True)

    async def branding(self) -> Response:
        """How the farm calls itself."""
        kept = await self._names.organization_settings(self._first)
        return json_answer(
            {
                "app_name": kept.get("branding_app_name") or "Gantry",
                "app_subtitle": "Print farm",
                "logo_url": kept.get("branding_logo_url"),
                "favicon_url": None,
            }
        )


def _saying(answer: Mapping[str, Any]) -> Handler:
    """A handler whose answer is always *answer*."""

    async def says() -> Response:
        return json_answer(answer)

    return says
