"""The plain HTTPS calls of an agent: nonces, and files by hash."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client

from api.link.routes import LinkRoutes
from api.link.turns import Turns
from tests.api.link.conftest import Farm

DATA = b"G28\nG1 X10\n" * 10_000


@pytest.fixture
def client(farm: Farm) -> Client:
    quart = Quart("test", static_folder=None)
    LinkRoutes(farm.rooms.bridges, farm.rooms.files, Turns()).register(quart)
    return quart.test_client()


async def stored(farm: Farm, organization_id: int = 1) -> str:
    async def upload() -> AsyncIterator[bytes]:
        yield DATA

    by = replace(farm.admin, organization_id=organization_id)
    blob = await farm.rooms.files.ingest(by, upload(), "cube.gcode")
    sha256: str = blob.sha256
    return sha256


async def test_a_nonce_can_be_signed_once(farm: Farm, client: Client) -> None:
    """What the call gives opens a link; unknown bridges get an answer of the same form."""
    answer = await client.post("/bridge/v1/nonce", json={"bridge_id": farm.bridge.uid})
    body = await answer.get_json()
    assert (answer.status_code, body["expires_in"]) == (200, 60)
    credentials = farm.key.credentials(farm.bridge.uid, body["nonce"])
    assert (await farm.handler.connect(credentials)).id == farm.bridge.id
    unknown = await client.post("/bridge/v1/nonce", json={"bridge_id": "nobody"})
    assert set(await unknown.get_json()) == {"nonce", "expires_in"}


async def test_a_file_is_fetched_whole_or_from_where_it_broke_off(
    farm: Farm, client: Client
) -> None:
    """200, 206 and 416, always with its hash as entity tag."""
    sha256 = await stored(farm)
    token = (await farm.greet()).bulk.token
    path, bearer = f"/bridge/v1/files/{sha256}", {"Authorization": f"Bearer {token}"}
    whole = await client.get(path, headers=bearer)
    assert (whole.status_code, whole.headers["ETag"]) == (200, f'"{sha256}"')
    assert hashlib.sha256(await whole.get_data(as_text=False)).hexdigest() == sha256
    rest = await client.get(path, headers={**bearer, "Range": "bytes=100000-"})
    assert (rest.status_code, await rest.get_data()) == (206, DATA[100_000:])
    assert rest.headers["Content-Range"] == f"bytes 100000-{len(DATA) - 1}/{len(DATA)}"
    assert rest.headers["Content-Length"] == str(len(DATA) - 100_000)
    none = await client.get(path, headers={**bearer, "Range": f"bytes={len(DATA)}-"})
    assert (none.status_code, none.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")


async def test_files_open_for_their_own_organizations_bridges_only(
    farm: Farm, client: Client
) -> None:
    """No token, a wrong one, an API token: 401. Another organization's file: 404 (S43, S59)."""
    foreign = await stored(farm, organization_id=2)
    token = (await farm.greet()).bulk.token
    path = f"/bridge/v1/files/{foreign}"
    for header in ({}, {"Authorization": "Bearer odin_x"}, {"Authorization": f"Basic {token}"}):
        assert (await client.get(path, headers=header)).status_code == 401
    for wrong in (foreign, "0" * 64, "../../secrets", "x"):
        answer = await client.get(
            f"/bridge/v1/files/{wrong}", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 404


async def test_a_removed_bridge_fetches_nothing(farm: Farm, client: Client) -> None:
    """Its token died with it (safety R51)."""
    sha256 = await stored(farm)
    token = (await farm.greet()).bulk.token
    await farm.rooms.bridges.revoke(farm.admin, farm.bridge.id)
    answer = await client.get(
        f"/bridge/v1/files/{sha256}", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401
