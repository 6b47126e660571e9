"""What is a person's own: theme, export, being forgotten, coming as a list (v1 2.1)."""

import httpx
import pytest

from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "Correct-horse-7"


async def _add(whole: Whole, name: str) -> int:
    body = {"username": name, "email": f"{name}@farm.example", "password": PASSWORD}
    answer = await whole.ask("admin", "POST", "/api/v1/users", json=body)
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    return number


async def _log_in(whole: Whole, name: str) -> httpx.Response:
    body = {"username": name, "password": PASSWORD}
    answer = await whole.ask("nobody", "POST", "/api/v1/auth/login", json=body)
    whole.http.cookies.clear()  # whoever asks next is somebody else
    return answer


async def test_a_theme_is_given_back_as_it_was_put(whole: Whole) -> None:
    """GET and PUT /auth/me/theme, each person their own."""
    theme = {"accent_color": "#6366f1", "ui_density": "compact", "wide": True}
    put = await whole.ask("viewer", "PUT", "/api/v1/auth/me/theme", json=theme)
    assert (put.status_code, put.json()) == (200, theme)
    assert (await whole.ask("viewer", "GET", "/api/v1/auth/me/theme")).json() == theme
    assert (await whole.ask("operator", "GET", "/api/v1/auth/me/theme")).json() == {}
    answer = await whole.ask("viewer", "PUT", "/api/v1/auth/me/theme", json={"a": ["b"]})
    assert answer.status_code == 422


async def test_people_see_what_is_kept_of_them_and_of_nobody_else(whole: Whole) -> None:
    """GET /users/{id}/export: one's own; an admin's of their house, 404 for a foreign one."""
    number = await _add(whole, "nadia")
    token = (await _log_in(whole, "nadia")).json()["access_token"]
    mine = {"Authorization": f"Bearer {token}"}
    path = f"/api/v1/users/{number}/export"
    await whole.ask("nobody", "POST", "/api/v1/jobs", json={"item_name": "hook"}, headers=mine)
    wish = {"preferences": [{"alert_type": "print_failed", "email": True}]}
    await whole.ask("nobody", "PUT", "/api/v1/alert-preferences", json=wish, headers=mine)
    document = (await whole.ask("nobody", "GET", path, headers=mine)).json()
    assert document["user"]["username"] == "nadia"
    assert [job["item_name"] for job in document["jobs_submitted"]] == ["hook"]
    [wished] = document["alert_preferences"]
    assert (wished["alert_type"], wished["email"]) == ("print_failed", True)
    assert {"auth.login", "job.created"} <= {e["action"] for e in document["audit_log_entries"]}
    [session] = document["active_sessions"]
    assert session["is_current"]
    assert "password" not in str(document) and token not in str(document)
    other = await whole.ask("nobody", "GET", "/api/v1/users/1/export", headers=mine)
    assert other.status_code == 403
    assert (await whole.ask("admin", "GET", path)).json()["user"]["id"] == number
    assert (await whole.ask("foreigner", "GET", path)).status_code == 404


async def test_an_erased_person_cannot_be_told_nor_come_back(whole: Whole) -> None:
    """DELETE /users/{id}/erase: [deleted-<id>], no address, no key; the work stays."""
    number = await _add(whole, "otto")
    token = (await _log_in(whole, "otto")).json()["access_token"]
    path = f"/api/v1/users/{number}/erase"
    assert (await whole.ask("foreigner", "DELETE", path)).status_code == 404
    answer = await whole.ask("admin", "DELETE", path)
    assert (answer.status_code, answer.json()["status"]) == (200, "erased")
    assert f"[deleted-{number}]" in answer.json()["message"]
    people = await whole.ask("admin", "GET", "/api/v1/users", params={"limit": 500})
    assert "otto" not in people.text
    row = next(one for one in people.json() if one["id"] == number)
    assert (row["username"], row["email"], row["is_active"]) == (f"[deleted-{number}]", "", 0)
    mine = {"Authorization": f"Bearer {token}"}
    assert (await whole.ask("nobody", "GET", "/api/v1/auth/me", headers=mine)).status_code == 401
    assert (await _log_in(whole, f"[deleted-{number}]")).status_code == 401
    assert (await _log_in(whole, "otto")).status_code == 401
    oneself = (await whole.ask("admin", "GET", "/api/v1/auth/me")).json()["id"]
    answer = await whole.ask("admin", "DELETE", f"/api/v1/users/{oneself}/erase")
    assert answer.status_code == 400


async def test_a_list_of_people_is_taken_row_by_row(whole: Whole) -> None:
    """POST /users/import: {created, skipped, errors: [{row, reason}]}; the rest is still taken."""
    await _add(whole, "paula")
    rows = (
        "\ufeffusername,email,password,role",
        f"quentin,q@farm.example,{PASSWORD},viewer",
        f"paula,p@farm.example,{PASSWORD},",
        "rita,r@farm.example,short,operator",
        f"stan,s@farm.example,{PASSWORD},king",
    )
    files = {"file": ("people.csv", "\r\n".join(rows).encode())}
    answer = await whole.ask("admin", "POST", "/api/v1/users/import", files=files)
    result = answer.json()
    assert (answer.status_code, result["created"], result["skipped"]) == (200, 1, 1)
    assert [error["row"] for error in result["errors"]] == [4, 5]
    assert "password" in result["errors"][0]["reason"] and "role" in result["errors"][1]["reason"]
    assert (await _log_in(whole, "quentin")).status_code == 200


@pytest.mark.parametrize(
    "given",
    [b"", b"name,mail\nx,y", b"username,email\nx,y", b'username,email,password\n"x', b"\0"],
)
async def test_what_is_no_list_of_people_is_refused_whole(whole: Whole, given: bytes) -> None:
    """400 with the columns that are wanted."""
    files = {"file": ("people.csv", given)}
    answer = await whole.ask("admin", "POST", "/api/v1/users/import", files=files)
    assert answer.status_code == 400, answer.text
