"""What a user interface of v1 asks before anybody has signed in, and just after (v1 2.12)."""

import pytest

from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST = (
    *("/setup/status", "/auth/capabilities", "/auth/oidc/config", "/license", "/branding"),
    *("/settings/language", "/settings/education-mode", "/version", "/health"),
)
THEN = (
    *("/auth/me", "/auth/me/theme", "/auth/mfa/status", "/permissions", "/config"),
    *("/config/require-job-approval", "/alerts/unread-count", "/stats", "/printers", "/jobs"),
)


async def test_an_interface_starts_without_a_credential(whole: Whole) -> None:
    """Each first question is answered 200 to anybody, at both bases."""
    for base in ("/api/v1", "/api"):
        for path in FIRST:
            assert (await whole.ask("nobody", "GET", base + path)).status_code == 200, path


async def test_an_interface_goes_on_as_a_viewer(whole: Whole) -> None:
    """Each next question needs a credential, and no more than a viewer's."""
    for path in THEN:
        answer = await whole.ask("viewer", "GET", f"/api/v1{path}")
        assert answer.status_code == 200, (path, answer.text)
        if path != "/permissions":
            assert (await whole.ask("nobody", "GET", f"/api/v1{path}")).status_code == 401, path


async def test_the_license_lets_everybody_do_everything(whole: Whole) -> None:
    """v1 2.12: no tier is asked for, no number of printers or people is the last."""
    license_ = (await whole.ask("nobody", "GET", "/api/v1/license")).json()
    assert (license_["valid"], license_["expired"]) == (True, False)
    assert (license_["max_printers"], license_["max_users"]) == (None, None)
    assert {"job_approval", "user_groups"} <= set(license_["features"])


async def test_the_farm_calls_itself_what_its_first_organization_says(whole: Whole) -> None:
    """branding_app_name and branding_logo_url of PUT /orgs/{id}/settings, shown to anybody."""
    body = {"branding_app_name": "Print shop", "branding_logo_url": "https://shop.example/l.png"}
    await whole.ask("admin", "PUT", "/api/v1/orgs/1/settings", json=body)
    branding = (await whole.ask("nobody", "GET", "/api/v1/branding")).json()
    shown = (branding["app_name"], branding["logo_url"])
    assert shown == ("Print shop", "https://shop.example/l.png")
    nothing = dict.fromkeys(body)
    await whole.ask("admin", "PUT", "/api/v1/orgs/1/settings", json=nothing)
    branding = (await whole.ask("nobody", "GET", "/api/v1/branding")).json()
    assert (branding["app_name"], branding["logo_url"]) == ("Gantry", None)
