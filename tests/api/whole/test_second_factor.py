"""The second factor where another dialect has no field for it (v1 2.1; OctoPrint contract, 2)."""

from typing import Any

import pyotp
import pytest

from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "Correct-horse-7"


async def test_a_password_alone_opens_nothing_on_the_octoprint_face(whole: Whole) -> None:
    """403 in words that say what to do; keys go on working; v1 lets them in with the code."""
    body = {"username": "careful", "email": "", "password": PASSWORD, "role": "operator"}
    user = (await whole.ask("admin", "POST", "/api/v1/users", json=body)).json()["id"]
    names: dict[str, Any] = {"username": "careful", "password": PASSWORD}

    async def ask(path: str, session: str = "", **given: Any) -> Any:
        headers = {"Authorization": f"Bearer {session}"} if session else {}
        answer = await whole.http.post(f"/api/v1{path}", json=given, headers=headers)
        whole.http.cookies.clear()
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    session = (await ask("/auth/login", **names))["access_token"]
    secret = (await ask("/auth/mfa/setup", session))["secret"]
    await ask("/auth/mfa/confirm", session, code=pyotp.TOTP(secret).now())
    whole.secrets["careful key"] = (
        await ask(f"/printers/{whole.ids['printer_id']}/octoprint-key", session)
    )["api_key"]
    for root in ("", f"/octoprint/{whole.ids['slug']}"):
        login = {"user": "careful", "pass": PASSWORD}
        refused = await whole.http.post(f"{root}/api/login", json=login)
        assert refused.status_code == 403
        assert "second factor" in refused.json()["error"]
        assert "Set-Cookie" not in refused.headers
    path = f"/octoprint/{whole.ids['slug']}/api/job"
    assert (await whole.ask("careful key", "GET", path)).status_code == 200
    assert (await ask("/auth/login", **names))["mfa_required"] is True
    gone = await whole.ask("admin", "DELETE", f"/api/v1/users/{user}")
    assert gone.status_code == 200
