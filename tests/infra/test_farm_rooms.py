"""What the farm does to its own room before it starts it, and to the farm nobody is in yet."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from infra.farm.client import Client
from infra.farm.options import parse
from infra.farm.rooms import TOKEN_FILE, SetupFailed, follow, sign_in


def test_a_paired_bridge_follows_the_farm_to_another_port(tmp_path: Path) -> None:
    """The second `make run` may listen elsewhere; the bridge stays the same one."""
    pairing = tmp_path / "pairing.json"
    pairing.write_text('{"url":"http://127.0.0.1:8000","bridge_id":"B","name":"N"}', "utf-8")
    follow(pairing, "http://127.0.0.1:9000")
    assert json.loads(pairing.read_text("utf-8")) == {
        "url": "http://127.0.0.1:9000",
        "bridge_id": "B",
        "name": "N",
    }
    assert pairing.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
def test_a_broken_pairing_is_one_clear_error(tmp_path: Path, text: str) -> None:
    """It names the file and what to do."""
    pairing = tmp_path / "pairing.json"
    pairing.write_text(text, "utf-8")
    with pytest.raises(SetupFailed, match=r"remove the folder .* and run again"):
        follow(pairing, "http://127.0.0.1:9000")


class FirstHour:
    """An API that nobody is set up in. Its answer to the step *silent_at* never arrives."""

    def __init__(self, silent_at: str) -> None:
        self.silent_at = silent_at
        self.password = ""
        self.is_complete = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the API does, then says."""
        path = request.url.path.removeprefix("/api/v1")
        body = json.loads(request.content or "{}")
        steps: dict[str, Callable[[dict[str, str]], httpx.Response]] = {
            "/setup/status": self._status,
            "/setup/admin": self._admin,
            "/setup/complete": self._complete,
            "/auth/login": self._login,
            "/tokens": lambda _: httpx.Response(201, json={"token": "odin_t"}),
        }
        said = steps[path](body)
        if path == self.silent_at:
            raise httpx.ReadError("the farm was killed here")
        return said

    def _status(self, _: dict[str, str]) -> httpx.Response:
        needs = {"needs_setup": not self.password, "is_complete": self.is_complete}
        return httpx.Response(200, json=needs)

    def _admin(self, body: dict[str, str]) -> httpx.Response:
        self.password = body["password"]
        return httpx.Response(200, json={})

    def _complete(self, _: dict[str, str]) -> httpx.Response:
        self.is_complete = True
        return httpx.Response(200, json={})

    def _login(self, body: dict[str, str]) -> httpx.Response:
        if body["password"] != self.password:
            return httpx.Response(401, json={"detail": "Invalid credentials"})
        return httpx.Response(200, json={"access_token": "a"})


@pytest.mark.parametrize("step", ["/setup/admin", "/auth/login", "/tokens", "/setup/complete"])
async def test_first_start_that_was_killed_at_any_step_is_finished_by_the_next(
    tmp_path: Path, step: str
) -> None:
    """The admin's password was kept before there was an admin, so nobody is locked out."""
    (tmp_path / TOKEN_FILE).write_text("t", encoding="ascii")
    options = parse(["--data", str(tmp_path)])
    api = FirstHour(step)
    client = Client(options.url, httpx.MockTransport(api.answer))
    with pytest.raises(httpx.ReadError):
        await sign_in(client, options)
    api.silent_at = ""
    known = await sign_in(client, options)
    assert (known.password, known.token) == (api.password, "odin_t")
    assert api.is_complete
    await client.close()
