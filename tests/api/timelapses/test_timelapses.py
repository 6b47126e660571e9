"""Timelapses (v1 2.10): there are none, and who asks is told so."""

from typing import Any

from tests.fakes.desk import Desk
from tests.fakes.past import refused, somebody

ONE = "/timelapses/1"
TRIM, SPEED = {"start_seconds": 0, "end_seconds": 10}, {"multiplier": 2.0}


async def test_the_list_is_empty(desk: Desk) -> None:
    """Whatever is asked for; a query out of limits is named."""
    for query in ("", "?printer_id=1&status=ready&limit=200&offset=5"):
        answer = await desk.ask("GET", f"/timelapses{query}")
        assert (answer.status_code, answer.json()) == (200, [])
        assert answer.headers["X-Total-Count"] == "0"
    for query in ("printer_id=x", "status=" + "x" * 33, "offset=-1"):
        assert (await desk.ask("GET", f"/timelapses?{query}")).status_code == 422


async def test_none_is_there(desk: Desk) -> None:
    """404 with a word on why and where the picture is; without credentials 401, no `?token=`."""
    asked: tuple[tuple[str, str, Any], ...] = (
        ("GET", ONE, None),
        ("DELETE", ONE, None),
        *(("GET", f"{ONE}/{name}", None) for name in ("video", "stream", "download")),
        ("POST", f"{ONE}/trim", TRIM),
        ("POST", f"{ONE}/speed", SPEED),
    )
    for method, path, body in asked:
        error = await refused(await desk.ask(method, path, json=body), 404, "not_found")
        assert "camera_url" in error["detail"]
    token = desk.http.headers.pop("Authorization").removeprefix("Bearer ")
    for method, path, body in asked:
        answer = await desk.ask(method, f"{path}?token={token}", json=body)
        await refused(answer, 401, "not_authenticated")


async def test_a_wish_out_of_limits_names_the_field(desk: Desk) -> None:
    """422 before it is looked for."""
    wishes: tuple[tuple[str, Any, str], ...] = (
        ("trim", {}, "end_seconds"),
        ("trim", {"start_seconds": -1, "end_seconds": 1}, "start_seconds"),
        ("trim", {"start_seconds": 5, "end_seconds": 5}, "end_seconds"),
        ("trim", {"end_seconds": 86_401}, "end_seconds"),
        ("speed", {}, "multiplier"),
        ("speed", {"multiplier": 3}, "multiplier"),
        ("speed", {"multiplier": 16}, "multiplier"),
    )
    for path, body, field in wishes:
        answer = await desk.ask("POST", f"{ONE}/{path}", json=body)
        assert answer.status_code == 422 and field in answer.text, body


async def test_roles(desk: Desk) -> None:
    """Viewers look, operators cut, admins delete."""
    viewer, operator = await somebody(desk, "viewer"), await somebody(desk, "operator")
    assert (await desk.ask("GET", f"{ONE}/video", headers=viewer)).status_code == 404
    for method, path, body, headers in (
        ("POST", f"{ONE}/trim", TRIM, viewer),
        ("POST", f"{ONE}/speed", SPEED, viewer),
        ("DELETE", ONE, None, operator),
    ):
        answer = await desk.ask(method, path, json=body, headers=headers)
        await refused(answer, 403, "permission_denied")
    answer = await desk.ask("POST", f"{ONE}/trim", json=TRIM, headers=operator)
    await refused(answer, 404, "not_found")
