"""What no honest client sends: odd values in every field, odd bodies, odd queries and headers.

Never a 500, always the form of v1's errors.
"""

from typing import Any

import httpx
import pytest

from tests.api.whole.conftest import BASE, Whole
from tests.api.whole.test_roles import V1

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Every JSON body of v1 and of the agents, whole.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/setup/admin": {"username": "a", "email": "a@b", "password": "Abcdefg1"},
    "POST /api/v1/tokens": {"name": "t", "scopes": ["read"], "expires_days": 1},
    "POST /api/v1/printers": {
        "name": "P",
        "model": "m",
        "nickname": "n",
        "camera_url": "c",
        "api_type": "serial",
        "profile": {"width_mm": 1},
        "scripts": {"on_pause": "M105"},
        "plate_policy": "confirm",
        "port_id": "usb-1",
        "bed_x_mm": 10,
        "bed_y_mm": 10,
        "bridge_id": 1,
        "baud": 0,
        "dialect": "auto",
        "tags": ["a"],
        "slot_count": 4,
        "is_active": True,
        "shared": False,
    },
    "PATCH /api/v1/printers/2": {"name": "Beta", "sort_order": 1, "slot_count": 4, "tags": []},
    "POST /api/v1/jobs": {
        "item_name": "j",
        "model_id": None,
        "print_file_id": None,
        "printer_id": None,
        "quantity": 1,
        "priority": 3,
        "duration_hours": 1,
        "colors_required": "x",
        "filament_type": "PLA",
        "notes": "n",
        "hold": True,
        "due_date": "2026-01-01T00:00:00Z",
        "required_tags": ["none"],
        "target_type": "specific",
        "target_filter": "x",
        "model_revision_id": None,
    },
    "POST /api/v1/jobs/987654/cancel": {"reason": "r", "force": False},
    "POST /api/v1/jobs/987654/dispatch": {"printer_id": 1},
    "POST /api/v1/jobs/987654/reject": {"reason": "r"},
    "POST /api/v1/models": {
        "name": "m",
        "build_time_hours": 1,
        "default_filament_type": "PLA",
        "color_requirements": {"slot1": {"color": "a", "grams": 1}},
        "category": "c",
        "cost_per_item": 1,
        "quantity_per_bed": 1,
        "is_favorite": False,
    },
    "POST /api/v1/bridges/enrolment-tokens": {"name": "x", "uses": 1, "hours": 1},
    "POST /api/v1/printers/1/octoprint-key": {"name": "x"},
    "POST /bridge/v1/nonce": {"bridge_id": "x"},
    "POST /bridge/v1/pairing/token": {"device_code": "d", "signature": "s"},
    "POST /bridge/v1/enrol": {
        "public_key": "A" * 43 + "=",
        "room": "r",
        "enrolment_token": "t",
        "signature": "s",
    },
}

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 2**63, 10**30, -1e308, "", "\u202e", "a" * 300, "NaN"),
    *([], [None], [[[]]], {}, {"": ""}),
)

BIG_NUMBERS = b'{"quantity": 1e400, "expires_days": 1e400, "uses": 1e400}'
RAW = (
    b'{"a":',
    b'{"name": NaN, "item_name": NaN, "quantity": Infinity}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"name": "\\ud800", "item_name": "\\ud800", "username": "\\ud800"}',
    b'{"name": "\\u0000", "item_name": "\\u0000", "username": "\\u0000"}',
    b'{"name": "\xff"}',
    b"\xff\xfe{",
    b"null",
    b"[]",
    BIG_NUMBERS,
    b'{"name": "' + b"a" * 1_100_000 + b'"}',
)


def check(answer: httpx.Response, about: object) -> None:
    assert answer.status_code < 500, (about, answer.text)
    if answer.is_error:
        assert "detail" in answer.json(), about


@pytest.mark.parametrize("route", BODIES)
async def test_odd_values_in_every_field(whole: Whole, route: str) -> None:
    """Too large for a column, of another type, empty, nested: never a 500."""
    method, path = route.split(" ")
    for field in BODIES[route]:
        for value in ODD:
            answer = await whole.ask("admin", method, path, json={**BODIES[route], field: value})
            check(answer, (field, value))


async def test_odd_bodies(whole: Whole) -> None:
    """Broken, deep, not UTF-8, not an object, larger than a body may be."""
    for route in BODIES:
        method, path = route.split(" ")
        for raw in RAW:
            answer = await whole.ask("admin", method, path, content=raw)
            check(answer, (route, raw[:40]))
            assert answer.is_error or raw == BIG_NUMBERS, (route, raw[:40])


@pytest.mark.parametrize(
    "due", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00"]
)
async def test_a_due_date_that_no_calendar_here_holds(whole: Whole, due: str) -> None:
    """422, also where only the time zone leads out of the years that there are."""
    body = {"item_name": "late", "due_date": due}
    assert (await whole.ask("admin", "POST", "/api/v1/jobs", json=body)).status_code == 422


async def test_a_due_date_without_an_offset_is_utc(whole: Whole) -> None:
    """v1 writes its times without an offset and means UTC (v1 0.9)."""
    for due in ("2026-11-21T16:30:00", "2026-11-21T18:30:00+02:00"):
        body = {"item_name": "due", "due_date": due, "hold": True}
        job = (await whole.ask("admin", "POST", "/api/v1/jobs", json=body)).json()
        assert job["due_date"] == "2026-11-21T16:30:00.000Z"


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/login", "/octoprint/alpha/api/login"])
async def test_a_name_longer_than_any_logs_nobody_in(whole: Whole, path: str) -> None:
    """The same answer as for a wrong password."""
    long, body = "a" * 5000, {"password": "x", "pass": "x"}
    elsewhere = httpx.ASGITransport(app=whole.application, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=elsewhere, base_url=BASE) as client:
        answer = await client.post(path, json={**body, "username": long, "user": long})
    assert answer.status_code == (401 if "v1" in path else 403)


async def test_odd_queries(whole: Whole) -> None:
    """Pages, ids and filters that nothing can match: empty or 422."""
    odd = ("-1", "x", "", "9" * 15, "2147483648", "%00", "a" * 500)
    names = (
        "skip",
        "limit",
        "offset",
        "status",
        "printer_id",
        "org_id",
        "category",
        "tag",
        "hours",
    )
    for path in ("jobs", "printers", "models", "print-files", "users", "printers/1/telemetry"):
        for name in names:
            for value in odd:
                answer = await whole.ask("admin", "GET", f"/api/v1/{path}?{name}={value}")
                check(answer, (path, name, value))


async def test_a_proxys_own_authorization_is_not_for_us(whole: Whole) -> None:
    """Behind a proxy that asks for Basic the key, or the cookie, still counts."""
    basic = {"Authorization": "Basic dXNlcjpwYXNz"}
    assert (await whole.ask("admin", "GET", "/api/v1/auth/me", headers=basic)).status_code == 200
    assert (await whole.ask("nobody", "GET", "/api/v1/auth/me", headers=basic)).status_code == 401


async def test_every_v1_answer_carries_the_headers(whole: Whole) -> None:
    """v1 1.8, safety S40: on every route, refusals of the router and of the credential included; a
    405 says which methods there are.
    """
    asked = [
        *(("admin", "GET", path) for path in ("/api/v1/nothing", "/api/printers")),
        *(("admin", "GET", f"/api/v1{whole.path(path)}") for method, path in V1 if method == "GET"),
        *(("nobody", method, f"/api/v1{whole.path(path)}") for method, path in V1),
    ]
    wanted = {"nosniff", "DENY", "0", "strict-origin-when-cross-origin"}
    names = ("X-Content-Type-Options", "X-Frame-Options", "X-XSS-Protection", "Referrer-Policy")
    for who, method, path in asked:
        answer = await whole.ask(who, method, path)
        assert {answer.headers.get(name) for name in names} == wanted, (method, path)
        assert "self" in answer.headers["Content-Security-Policy"], (method, path)
        assert "camera=()" in answer.headers["Permissions-Policy"], (method, path)
        assert "Server" not in answer.headers, (method, path)
        assert "Strict-Transport-Security" not in answer.headers, (method, path)
    wrong = await whole.ask("admin", "PUT", "/api/v1/printers")
    assert wrong.status_code == 405
    assert {"GET", "POST"} <= set(wrong.headers["Allow"].split(", "))


async def test_who_comes_over_https_stays_there(whole: Whole) -> None:
    """v1 1.8, safety S40: HSTS on https, on answers and refusals, and only there."""
    for who, path in (("admin", "/api/v1/printers"), ("nobody", "/api/v1/printers")):
        safe = await whole.ask(who, "GET", BASE.replace("http:", "https:") + path)
        assert safe.headers["Strict-Transport-Security"] == "max-age=31536000", who
