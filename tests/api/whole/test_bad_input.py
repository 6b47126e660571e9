"""Bad input on every route that takes any: bodies, forms and ids of others (safety S21, S25 to S30,
S46).
"""

import asyncio
import re
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter

from api.upload_body import UploadBody, WholeBody
from tests.api.octoprint.test_attacks import FILE, FORGERIES, FORM, form
from tests.api.whole.conftest import BASE, GCODE, Whole
from tests.api.whole.test_roles import BODIES, V1, nothing
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: What no JSON reader may take, whatever the route.
BROKEN: dict[str, bytes] = {
    "cut off": b'{"a":',
    "NaN": b'{"name": NaN, "nothing": NaN}',
    "infinity": b'{"nothing": -Infinity}',
    "a name twice": b'{"name": "a", "name": "b"}',
    "a name twice, far down": b'{"nothing": [{"deep": {"name": 1, "n\\u0061me": 2}}]}',
    "a list 100 000 deep": b"[" * 100_000,
    "an object 100 000 deep": b'{"a":' * 100_000,
    "half a character pair": b'{"name": "\\ud800"}',
    "NUL": b'{"nothing": "\\u0000"}',
    "a raw NUL": b'{"name": "\x00"}',
    "no UTF-8": b'{"name": "\xff"}',
    "half a byte order mark": b"\xff\xfe{",
    "only spaces and a comma": b"  ,",
    "two values": b"{}{}",
}
#: Readable, and odd: refused or passed over, never the server's own failure.
ODD: dict[str, bytes] = {
    "1e400": b'{"quantity": 1e400, "priority": 1e400}',
    "an integer of 5 000 digits": b'{"nothing": ' + b"9" * 5000 + b"}",
    "more than 63 bits": b'{"id": 9223372036854775808}',
    "__proto__": b'{"__proto__": {"role": "superadmin"}, "constructor": {"prototype": {}}}',
}


def takes_json(whole: Whole) -> list[tuple[str, str]]:
    """(method, path with ids of nothing) of every route with a JSON body."""
    return [
        (route.method, f"/api/v1{whole.path(route.path, **nothing(route.path))}")
        for route in whole.application.v1.declared
        if route.doc.body is not None and not route.public
    ]


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_body_is_refused_everywhere(whole: Whole, how: str) -> None:
    """S29: 4xx with words on every route with a body, and nothing is made."""
    before = await whole.rows()
    for method, path in takes_json(whole):
        answer = await whole.ask("admin", method, path, content=BROKEN[how])
        assert 400 <= answer.status_code < 500, (method, path, answer.text)
        assert answer.json()["detail"], (method, path)
    assert await whole.rows() == before


@pytest.mark.parametrize("how", ODD)
async def test_an_odd_body_is_nobodys_failure(whole: Whole, how: str) -> None:
    """S29: no route that changes something that is there fails of it itself."""
    for method, path in takes_json(whole):
        if "987654" in path:
            answer = await whole.ask("admin", method, path, content=ODD[how])
            assert answer.status_code < 500, (method, path, answer.text)


#: What a client may never say of a row, in every spelling that rows here have.
OWNED: dict[str, Any] = {
    **{"id": 987654, "organization_id": 2, "group_id_": 2, "is_admin": True},
    **{"is_superadmin": True, "password_hash": "x", "created_by": 987654, "spent": 9.5},
    **{"state": "done", "created_at": "2001-01-01T00:00:00Z", "deleted_at": "2001-01-01T00:00:00Z"},
    **{"slug": "taken-over", "storage_key": "../../x", "sha256": "0" * 64, "secret": "x"},
}


async def test_a_patch_takes_no_field_that_is_not_its_own(whole: Whole) -> None:
    """S27: on every route that changes a row the columns that nobody may set stay as they are."""
    before = await whole.rows()
    asked = 0
    for method, path in V1:
        if method not in ("PATCH", "PUT") or "<int:" not in path:
            continue
        answer = await whole.ask("admin", method, f"/api/v1{whole.path(path)}", json=OWNED)
        assert answer.status_code < 500, (method, path, answer.text)
        asked += 1
    assert asked > 20
    kept = await whole.rows()
    for table, rows in before.items():
        assert {row[0] for row in rows} <= {now[0] for now in kept[table]}, table
        for now in kept[table]:
            assert not {"taken-over", "../../x", 987654} & set(now), (table, now)


def ids_in(body: Any) -> dict[str, bool]:
    """The fields of *body* that name rows, and whether they name many."""
    model = get_args(body)[0] if get_origin(body) is list else body
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    properties = TypeAdapter(model).json_schema().get("properties", {})
    return {
        name: name.endswith("s")
        for name in properties
        if re.search(r"[a-z]_ids?$", name) is not None
    }


#: Named by what they are ids of, where the field has another name for it.
ALIASES = {"print_file_id": "file_id", "group_id": "org_id", "owner_id": "user_id"}


async def test_no_body_reaches_what_another_organization_has(whole: Whole) -> None:
    """S25: every field of every body that names a row, with a row of somebody else's: refused like
    one that is not there, in the same words, and nothing happens.
    """
    before = await whole.rows()
    asked = 0
    for route in whole.application.v1.declared:
        if "<int:" in route.path or route.public or V1[route.method, route.path] == "superadmin":
            continue
        for name, is_many in ids_in(route.doc.body).items():
            one = name.removesuffix("s")
            own = whole.ids.get(ALIASES.get(one, one))
            if own is None or not own.isdigit():
                continue
            said = []
            for number in (int(own), 987654):
                body = {**BODIES.get((route.method, route.path), {})}
                body[name] = [number] if is_many else number
                sent: Any = [body] if get_origin(route.doc.body) is list else body
                answer = await whole.ask(
                    "foreigner", route.method, f"/api/v1{route.path}", json=sent
                )
                assert answer.status_code < 500, (route.path, name, answer.text)
                said.append((answer.status_code, answer.text.replace("987654", own)))
            if said[0][0] >= 400 or is_many:
                assert said[0] == said[1], (route.path, name)
            asked += 1
    assert asked > 15
    changed = {
        table
        for table, rows in (await whole.rows()).items()
        if rows[: len(before[table])] != before[table]
    }
    assert changed == set()


async def test_no_query_reaches_what_another_organization_has(whole: Whole) -> None:
    """S25: every name of a query that is an id: the answer is the one for an id of nothing."""
    asked = 0
    for route in whole.application.v1.declared:
        if route.method != "GET" or "<int:" in route.path or route.public:
            continue
        for query in route.doc.query:
            own = whole.ids.get(ALIASES.get(query.name, query.name))
            if not query.name.endswith("_id") or own is None:
                continue
            answers = [
                await whole.ask(
                    "foreigner",
                    "GET",
                    f"/api/v1{whole.path(route.path)}",
                    params={query.name: value},
                )
                for value in (own, "987654")
            ]
            texts = [answer.text.replace("987654", own) for answer in answers]
            assert answers[0].status_code == answers[1].status_code, (route.path, query.name)
            assert texts[0] == texts[1], (route.path, query.name)
            asked += 1
    assert asked > 5


async def test_an_etag_tells_another_organization_nothing(whole: Whole) -> None:
    """S25: who may not see it gets no 304 either, on both faces; 404 with and without the tag."""
    files = {"file": ("tagged.gcode", GCODE + b"; tagged\n")}
    root = whole.path("/octoprint/<slug>")
    local = f"{root}/api/files/local"
    assert (await whole.ask("admin", "POST", local, files=files)).status_code == 201
    theirs = [f"{local}/tagged.gcode", f"{root}/downloads/files/local/tagged.gcode"]
    paths = [f"/api/v1{whole.path(path)}" for method, path in V1 if method == "GET" and "<" in path]
    tagged = 0
    for path in [*theirs, *paths]:
        answer = await whole.ask("admin", "GET", path)
        tag = answer.headers.get("ETag")
        if tag is None or "/overlay/" in path:
            continue
        headers = {"If-None-Match": tag}
        assert (await whole.ask("admin", "GET", path, headers=headers)).status_code == 304, path
        assert (await whole.ask("foreigner", "GET", path, headers=headers)).status_code == 404, path
        assert (await whole.ask("foreigner", "GET", path)).status_code == 404, path
        tagged += 1
    assert (await whole.ask("admin", "DELETE", theirs[0])).status_code == 204
    assert tagged >= 2


@pytest.mark.parametrize("how", [*FORGERIES, "compressed"])
async def test_a_forged_form_is_refused_by_every_route_that_takes_one(
    whole: Whole, how: str
) -> None:
    """S30 (CVE-2025-48067, CVE-2026-54134): as the slicers' upload does; nothing is kept."""
    content, kind, query = FORGERIES.get(how, (form(FILE), FORM, ""))
    headers = {"Content-Type": kind} | ({"Content-Encoding": "gzip"} if how == "compressed" else {})
    before = await whole.rows()
    asked = 0
    for route in whole.application.v1.declared:
        if "multipart/form-data" not in (route.doc.form or {}) or route.public:
            continue
        path = f"/api/v1{whole.path(route.path)}{query}"
        answer = await whole.ask("admin", route.method, path, content=content, headers=headers)
        assert 400 <= answer.status_code < 500, (route.path, answer.text)
        asked += 1
    assert asked >= 3
    assert await whole.rows() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "none"])
async def test_what_a_foreign_form_can_send_changes_nothing_with_our_cookie(
    whole: Whole, kind: str
) -> None:
    """S21: a page elsewhere can send these types without asking; the Origin gives it away, and so
    does a browser that tells nothing but the site.
    """
    login = {"username": "admin", "password": "Correct-horse-7"}
    session = (await whole.http.post("/api/v1/auth/login", json=login)).cookies["session"]
    whole.http.cookies.clear()
    before = await whole.rows()
    for method, path in takes_json(whole):
        for told in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            headers = {"Cookie": f"session={session}", "Content-Type": kind, **told}
            answer = await whole.ask("nobody", method, path, content=b"{}", headers=headers)
            assert answer.status_code == 403, (method, path)
    assert await whole.rows() == before


async def test_a_secret_of_another_kind_opens_no_route(whole: Whole) -> None:
    """S43: a socket's ticket, the push's, a room's enrolment token and a webhook's secret are
    nobody on every route of v1; nothing happens.
    """
    me = {"user": "admin", "pass": "Correct-horse-7"}
    push = (await whole.http.post("/api/login", json=me)).json()["session"]
    whole.http.cookies.clear()
    hook = {"url": "http://127.0.0.1:9/nobody", "is_enabled": False}
    secrets = {
        "socket": (await whole.ask("admin", "POST", "/api/v1/auth/ws-token")).json()["token"],
        "push": push,
        "room": (
            await whole.ask("admin", "POST", "/api/v1/bridges/enrolment-tokens", json={})
        ).json()["token"],
        "webhook": (await whole.ask("admin", "POST", "/api/v1/webhooks", json=hook)).json()[
            "secret"
        ],
    }
    before = await whole.rows()
    for kind, secret in secrets.items():
        for (method, path), role in V1.items():
            if role != "public":
                headers = {"Authorization": f"Bearer {secret}"}
                target = f"/api/v1{whole.path(path)}"
                answer = await whole.ask("nobody", method, target, headers=headers)
                assert answer.status_code == 401, (kind, method, path)
    assert await whole.rows() == before


async def test_a_rooms_socket_takes_no_cookie_and_no_key(whole: Whole) -> None:
    """S42, S43: 401 before the upgrade; only a bridge's own proof opens it."""
    login = {"username": "admin", "password": "Correct-horse-7"}
    session = (await whole.http.post("/api/v1/auth/login", json=login)).cookies["session"]
    whole.http.cookies.clear()
    carried: tuple[dict[str, str], ...] = (
        *({"cookie": f"session={session}"}, {"x_api_key": str(whole.secrets["admin"])}),
        {"authorization": f"Bearer {whole.secrets['admin']}"},
        {"cookie": f"session={session}", "origin": BASE},
    )
    for headers in carried:
        path = "/bridge/v1/link"
        socket = LiveSocket(whole.application, path, host="farm.local:5000", **headers)
        async with socket as upgrade:
            assert await upgrade.refusal() == (401, "not_authenticated"), headers


async def test_a_body_that_never_comes_is_given_up(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S46: 408 for a JSON body, and the words of a dropped upload for a form."""
    monkeypatch.setitem(whole.application.quart.config, "BODY_TIMEOUT", 0.05)
    monkeypatch.setattr("api.uploads.SILENCE_S", 0.05)
    for body in (WholeBody, UploadBody):
        monkeypatch.setattr(body, "drain_s", 0.05)
    key = str(whole.secrets["admin"]).encode()
    told = {}
    for path, kind in (
        ("/api/v1/jobs", b"application/json"),
        ("/api/v1/print-files/upload", b"multipart/form-data; boundary=x"),
        ("/api/files/local", b"multipart/form-data; boundary=x"),
    ):
        told[path] = await half_sent(whole, path, [(b"x-api-key", key), (b"content-type", kind)])
    assert told["/api/v1/jobs"] == 408
    assert {400, 408} >= set(told.values())


async def half_sent(whole: Whole, path: str, headers: list[tuple[bytes, bytes]]) -> int:
    """The status that a POST gets whose client falls silent after a few bytes."""
    pieces = [{"type": "http.request", "body": b"--x\r\n", "more_body": True}]
    statuses: list[int] = []
    over = asyncio.Event()

    async def receive() -> Any:
        if pieces:
            return pieces.pop()
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        elif not message.get("more_body"):
            over.set()

    host = BASE.removeprefix("http://").encode()
    scope = {
        **{"type": "http", "method": "POST", "path": path, "raw_path": path.encode()},
        **{"headers": [(b"host", host), *headers], "query_string": b"", "root_path": ""},
        **{"scheme": "http", "http_version": "1.1", "client": whole.transport.client},
        **{"server": ("farm.local", 5000), "extensions": {}},
    }
    async with asyncio.timeout(20):
        await whole.application(scope, receive, send)
    return statuses[0]
