"""A past for a desk: prints that people ran by hand on its printer, and somebody who may less."""

from datetime import UTC, datetime
from typing import Any

import httpx

from api.jobs.models import Print
from tests.fakes.desk import Desk

GCODE = (
    b"G28\nM104 S200\nG1 X1 E1\nG1 X2 E2\n; filament used [mm] = 1000.0\n"
    b"; filament used [g] = 3.0\n; total filament used [g] = 3.0\n; filament_type = PLA\n"
    b"; filament_colour = #FF0000\n"
)


async def printed(
    desk: Desk, name: str = "vase", end: str = "complete", text: bytes = GCODE, **job: Any
) -> int:
    """The number of a print of *name* that ended so (complete, fail), a moment ago."""
    file_id = await desk.upload(text, f"{name}.gcode")
    return await printed_again(desk, end, item_name=name, print_file_id=file_id, **job)


async def printed_again(desk: Desk, end: str = "complete", **job: Any) -> int:
    """The same with a job of one's own."""
    wanted = {"printer_id": desk.printer_id, "item_name": "vase", **job}
    made = await desk.ask("POST", "/jobs", json=wanted)
    assert made.status_code == 201, made.text
    await desk.ask("POST", f"/printers/{wanted['printer_id']}/plate-cleared")
    for step in ("start", end):
        answer = await desk.ask("POST", f"/jobs/{made.json()['id']}/{step}")
        assert answer.status_code == 200, answer.text
    [row] = await Print.filter(job_id=made.json()["id"])
    return row.id


async def ended_at(print_id: int, *when: int, printed_s: float = 3600.0) -> None:
    """It ended then (year, month, day, hour …, UTC), after it had printed so long."""
    await Print.filter(id=print_id).update(
        ended_at=datetime(*when, tzinfo=UTC),  # type: ignore[arg-type, misc]
        printed_s=printed_s,
    )


async def somebody(desk: Desk, role: str, scopes: tuple[str, ...] = ()) -> dict[str, str]:
    """Headers of somebody of this role; *scopes*: of a token that they made."""
    password = "Correct-horse-7"
    person = {"username": role, "email": "", "password": password, "role": role}
    await desk.ask("POST", "/users", json=person)
    login = {"username": role, "password": password}
    token = (await desk.ask("POST", "/auth/login", json=login)).json()["access_token"]
    desk.http.cookies.clear()
    headers = {"Authorization": f"Bearer {token}"}
    if scopes:
        body = {"name": "t", "scopes": [*scopes]}
        made = await desk.ask("POST", "/tokens", json=body, headers=headers)
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
    return headers


async def refused(answer: httpx.Response, status: int, code: str) -> Any:
    """The refusal; fails unless it is this one."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code, answer.text
    return error
