"""Secrets of every kind, used everywhere: none of them comes out again (safety S44)."""

import io
import itertools
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import httpx
import pyotp
import pytest
import pytest_asyncio

from api.accounts.models import User
from api.accounts.people import NewUser
from api.logs import JsonLines
from api.principal import Role
from tests.api.whole.conftest import BASE, Whole
from tests.fakes import databases

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "Correct-horse-7"
MISTYPED = "Canary-of-a-typist-1"
CHANGED = "Canary-that-was-mailed-2"
SETUP_TOKEN = "canary-of-the-first-hour-0123456789"
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PATHS = (
    *("/api/v1/printers", "/api/v1/printers/999999", "/api/v1/jobs?limit=x", "/api/v1/nowhere"),
    *("/api/v1/audit-logs", "/api/v1/tokens", "/api/v1/sessions", "/api/v1/admin/sessions"),
    *("/api/v1/metrics", "/api/v1/events", "/health", "/openapi.json", "/api/printer", "/api/job"),
    *("/api/settings", "/api/access/users", "/api/files?recursive=true", "/plugin/appkeys/keys"),
    *("/octoprint/{slug}/api/printer", "/octoprint/nowhere/api/version", "/sockjs/info"),
)


@dataclass(frozen=True)
class Canaries:
    """Secrets by their kind, and everything that was said while they were used."""

    secrets: dict[str, str]
    said: io.StringIO

    def check(self, text: str, where: str, but: tuple[str, ...] = ()) -> None:
        for kind, secret in self.secrets.items():
            assert kind in but or secret not in text, f"the {kind} in {where}"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that a container would log, as it writes it."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonLines())
    handler.addFilter(lambda record: not record.name.startswith("httpx"))  # who asks
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield said
    root.setLevel(level)
    root.removeHandler(handler)


class Mailbox:
    """A mail server that keeps what it gets; what stands in a mail is for its reader."""

    def __init__(self) -> None:
        self.last = ""

    async def carry(self, mail: EmailMessage) -> None:
        """Keep *mail*."""
        self.last = str(mail.get_content())


async def second_half(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The secrets of somebody with a second factor, who forgot the password."""
    accounts = whole.application.rooms.accounts
    admin = await accounts.authenticate(whole.secrets["admin"] or "")
    new = NewUser(username="canary", email="c@x.example", password=PASSWORD, role=Role.VIEWER)
    user = await accounts.create_user(admin, new)
    login = {"username": "canary", "password": PASSWORD}

    async def ask(path: str, session: str, **body: object) -> Any:
        headers = {"Authorization": f"Bearer {session}"} if session else {}
        answer = await whole.http.post(f"/api/v1/auth{path}", json=body, headers=headers)
        whole.http.cookies.clear()
        assert answer.status_code == 200, answer.text
        return answer.json()

    session = (await ask("/login", "", **login))["access_token"]
    secret = (await ask("/mfa/setup", session))["secret"]
    code = pyotp.TOTP(secret).now()
    codes = (await ask("/mfa/confirm", session, code=code))["recovery_codes"]
    half = (await ask("/login", "", **login))["access_token"]
    by_code = await ask("/mfa/verify", "", mfa_token=half, code=codes[0])
    remembered = await accounts.remember(await accounts.authenticate(session), "")
    mailbox = Mailbox()
    monkeypatch.setattr(accounts.post, "_transport", mailbox)
    monkeypatch.setattr(accounts.post, "_sender", "farm@x.example")
    monkeypatch.setattr(accounts.post, "is_open", True)
    await ask("/forgot-password", "", email="c@x.example")
    await accounts.post.drain()
    token = mailbox.last.partition("#token=")[2].split()[0]
    await ask("/reset-password", "", token=token, new_password=CHANGED)
    kept = await User.get(id=user.id)
    return {
        "secret of a second factor": secret,
        "recovery code": codes[1],
        "used recovery code": codes[0],
        "half login": half,
        "session of a second factor": by_code["access_token"],
        "remembering cookie": remembered.token,
        "mail's token": token,
        "new password": CHANGED,
        "password's hash": kept.password_hash,
    }


@pytest_asyncio.fixture(loop_scope="session")
async def canaries(
    whole: Whole, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Canaries]:
    more = await second_half(whole, monkeypatch)
    setup = {"username": "x", "email": "", "password": PASSWORD, "setup_token": SETUP_TOKEN}
    assert (await whole.http.post("/api/v1/setup/admin", json=setup)).status_code == 403
    nonce = await whole.http.post("/bridge/v1/nonce", json={"bridge_id": NOBODY})
    login = await whole.http.post(
        "/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}
    )
    whole.http.cookies.clear()
    session = login.json()["access_token"]
    bearer = {"Authorization": f"Bearer {session}"}

    async def make(path: str, **body: object) -> dict[str, str]:
        answer = await whole.http.post(f"/api/v1{path}", json=body, headers=bearer)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, str] = answer.json()
        return made

    accounts = whole.application.rooms.accounts
    me = await accounts.authenticate(session)
    token = (await make("/tokens", name="canary"))["token"]
    yield Canaries(
        {
            "token": token,
            "session": session,
            "key": await accounts.create_octoprint_key(me, int(whole.ids["printer_id"]), "canary"),
            "ticket": (await make("/auth/ws-token"))["token"],
            "enrolment token": (await make("/bridges/enrolment-tokens"))["token"],
            "password": PASSWORD,
            "mistyped password": MISTYPED,
            "set-up token": SETUP_TOKEN,
            "nonce": nonce.json()["nonce"],
            **more,
        },
        log,
    )
    [user] = await User.filter(username="canary")
    await accounts.delete_user(await accounts.authenticate(token), user.id)


def ways(secret: str) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Headers and query with the secret in them, rightly or not."""
    return [
        ({"X-Api-Key": secret}, {}),
        ({"Authorization": f"Bearer {secret}"}, {}),
        ({"Cookie": f"session={secret}"}, {}),
        ({"Referer": f"{BASE}/?apikey={secret}"}, {}),
        ({}, {"apikey": secret}),
        ({}, {"token": secret}),
    ]


async def test_no_secret_comes_out_again(whole: Whole, canaries: Canaries) -> None:
    """S44: not in answers, logs (at level debug), rows, the audit trail or metrics."""
    for kind, secret in canaries.secrets.items():
        if "password" in kind:
            continue  # nobody sends it but to log in
        for way, path in zip(itertools.cycle(ways(secret)), PATHS * 2, strict=False):
            headers, query = way
            place = path.replace("{slug}", whole.ids["slug"])
            answer = await whole.http.get(place, headers=headers, params=query)
            whole.http.cookies.clear()
            canaries.check(shown(answer), f"the answer to {place} with {list(headers | query)}")
    await mistype(whole, canaries)
    logging.getLogger("gantry.test").warning("asked with ?apikey=%s", canaries.secrets["key"])
    canaries.check(canaries.said.getvalue(), "the log")
    canaries.check(await everything_kept(whole), "the rows", but=("password's hash",))
    for path in ("/api/v1/audit-logs?limit=500", "/api/v1/metrics"):
        canaries.check((await whole.ask("admin", "GET", path)).text, path)


async def mistype(whole: Whole, canaries: Canaries) -> None:
    """The password where the name belongs, a wrong one, and one that is refused as it is."""
    for body in (
        {"username": MISTYPED, "password": "x"},
        {"username": "admin", "password": MISTYPED},
    ):
        answer = await whole.http.post("/api/v1/auth/login", json=body)
        canaries.check(shown(answer), "the answer to a login")
    forms = ({"user": MISTYPED, "pass": "x"}, {"user": "admin", "pass": MISTYPED})
    for body in forms:
        canaries.check(shown(await whole.http.post("/api/login", json=body)), "a login")


def shown(answer: httpx.Response) -> str:
    return f"{answer.headers} {answer.text}"


async def everything_kept(whole: Whole) -> str:
    connection = whole.application.database.connections.get("default")
    _, names = await connection.execute_query(databases.TABLES[connection.capabilities.dialect])
    kept = []
    for (name,) in names:
        _, rows = await connection.execute_query(f'SELECT * FROM "{name}"')
        kept.append(repr([tuple(row) for row in rows]))
    return "\n".join(kept)
