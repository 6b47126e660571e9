"""Quotas over the whole API: jobs by every way, uploads, and dry runs that say so beforehand."""

from typing import Any

import pytest

from tests.api.whole.conftest import GCODE, Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def limit(whole: Whole, path: str, **body: Any) -> Any:
    answer = await whole.ask("admin", "PUT", f"/api/v1{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def me(whole: Whole, who: str) -> int:
    return int((await whole.ask(who, "GET", "/api/v1/auth/me")).json()["id"])


async def test_a_quota_of_jobs_ends_every_way_to_make_one(whole: Whole) -> None:
    """v1 2.4: 429 quota_exceeded; by job, in bulk, by schedule, by a slicer, and as a dry run."""
    path = f"/admin/quotas/{await me(whole, 'operator')}"
    state = (await whole.ask("operator", "GET", "/api/v1/quotas")).json()
    used = state["usage"]["jobs_used"]
    await limit(whole, path, quota_jobs=used + 1)
    first = await whole.ask("operator", "POST", "/api/v1/jobs", json={"item_name": "first"})
    assert first.status_code == 201
    schedule = f"/api/v1/print-files/{whole.ids['file_id']}/schedule"
    ways: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/jobs", {"json": {"item_name": "x"}}),
        ("/api/v1/jobs", {"json": {"item_name": "x"}, "headers": {"X-Dry-Run": "true"}}),
        ("/api/v1/jobs/bulk", {"json": [{"item_name": "x"}]}),
        (schedule, {"json": {}}),
    ]
    for place, given in ways:
        answer = await whole.ask("operator", "POST", place, **given)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "quota_exceeded")
    after = (await whole.ask("operator", "GET", "/api/v1/quotas")).json()
    assert after["usage"]["jobs_used"] == used + 1
    await limit(whole, path, quota_jobs=None)
    again = await whole.ask("operator", "POST", "/api/v1/jobs", json={"item_name": "second"})
    assert again.status_code == 201
    for job in (first, again):
        await whole.ask("admin", "DELETE", f"/api/v1/jobs/{job.json()['id']}")


async def test_a_full_store_takes_no_more_files(whole: Whole) -> None:
    """429 before anything is kept; the same bytes again need no more room."""
    state = await limit(whole, "/orgs/1/quota", quota_storage_bytes=0)
    assert state["usage"]["storage_bytes_used"] >= len(GCODE)
    new = {"file": ("new.gcode", b"; another\n" + GCODE)}
    answer = await whole.ask("operator", "POST", "/api/v1/print-files/upload", files=new)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "quota_exceeded")
    upload = f"/octoprint/{whole.ids['slug']}/api/files/local"
    assert (await whole.ask("operator", "POST", upload, files=new)).status_code == 429
    await limit(whole, "/orgs/1/quota", quota_storage_bytes=None)


@pytest.mark.parametrize(
    "body",
    [
        *({"quota_jobs": -1}, {"quota_jobs": 2**31}, {"quota_grams": -0.1}, {"quota_hours": 1e300}),
        {"quota_period": "hourly"},
    ],
)
async def test_limits_of_a_quota_are_named(whole: Whole, body: dict[str, Any]) -> None:
    """422 that names the field."""
    answer = await whole.ask(
        "admin", "PUT", f"/api/v1/admin/quotas/{whole.ids['user_id']}", json=body
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == next(iter(body))
