"""Setting the farm up through its own API: admin, bridge, printers, keys, the demo job.

Every step looks first and changes only what is missing, so a second run keeps everything.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from infra.farm import credentials as kept
from infra.farm.children import collect
from infra.farm.client import Client, Refused
from infra.farm.credentials import Credentials
from infra.farm.options import Options

TOKEN_FILE = "setup.token"  # noqa: S105  where the API keeps what set-up asks for

DEMO_FILE = Path(__file__).parent.parent / "demo" / "cube_small.gcode"
PORTS_TIMEOUT_S = 30.0
OPERATIONAL_TIMEOUT_S = 60.0


class SetupFailed(RuntimeError):
    """The farm cannot be set up; the text says what to do."""


async def sign_in(client: Client, options: Options) -> Credentials:
    """The admin's credentials: those kept in the data directory, or a new admin's.

    Raises `SetupFailed` when an admin exists whose password is not known here.
    """
    known = kept.load(options.data) or Credentials()
    if options.admin_password:
        known.password = options.admin_password
    state = await client.call("GET", "/setup/status")
    if state["needs_setup"]:
        known.password = known.password or kept.new_password()
        known.token, known.octoprint_keys = "", {}
        kept.save(options.data, known)  # before the admin is made: only we know the password
        person = {"username": known.username, "password": known.password}
        person |= {"email": "admin@localhost", "setup_token": _setup_token(options.data)}
        await client.call("POST", "/setup/admin", person)
    if not await _token_works(client, known.token):
        known.token = await _new_token(client, known)
        client.use_token(known.token)
    if not state["is_complete"]:
        await client.call("POST", "/setup/complete")
    kept.save(options.data, known)
    return known


def _setup_token(data: Path) -> str:
    """What the API asks for at set-up. Raises `SetupFailed`."""
    try:
        return (data / TOKEN_FILE).read_text(encoding="ascii").strip()
    except OSError as error:
        raise SetupFailed(
            f"Cannot read {data / TOKEN_FILE}: {error.strerror}. The API makes it when it starts "
            "and nobody is set up; does another API use this port?"
        ) from None


async def _bearer(client: Client, known: Credentials) -> dict[str, str]:
    form = {"username": known.username, "password": known.password}
    try:
        login = await client.call("POST", "/auth/login", form)
    except Refused as refused:
        raise SetupFailed(
            f"Cannot sign in as {known.username}: {refused.reason}. This data directory has an "
            "admin with another password: give it with --admin-password, or use another --data."
        ) from None
    return {"Authorization": f"Bearer {login['access_token']}"}


async def _token_works(client: Client, token: str) -> bool:
    if not token:
        return False
    client.use_token(token)
    try:
        await client.call("GET", "/auth/me")
    except Refused:
        return False
    return True


async def _new_token(client: Client, known: Credentials) -> str:
    body = {"name": "local farm", "scopes": []}
    headers = {**await _bearer(client, known), "X-API-Key": ""}
    made = await client.call("POST", "/tokens", body, headers=headers)
    return str(made["token"])


async def pair(client: Client, options: Options, run: Callable[..., Awaitable[None]]) -> None:
    """Pair the bridge in the data directory unless it is paired already.

    *run* runs ``python -m …`` to its end; the enrolment token reaches it through a 0600 file that
    is gone afterwards.
    """
    state = options.data / "bridge"
    if (state / "pairing.json").exists():
        follow(state / "pairing.json", options.url)
        return
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = await client.call(
        "POST", "/bridges/enrolment-tokens", {"name": "local farm", "uses": 1, "expires_s": 300}
    )
    secret = state / ".enrol"
    kept.write_private(secret, made["token"])
    arguments = ["bridge", "pair", options.url, "--room", "This machine", "--state-dir", str(state)]
    try:
        await run("pairing", [*arguments, "--enrol-token-file", str(secret)])
    finally:
        secret.unlink(missing_ok=True)


def follow(pairing: Path, url: str) -> None:
    """Let a bridge that is paired already find this farm at *url*: the port may be another one.

    Raises `SetupFailed` when the file cannot be read.
    """
    try:
        known = json.loads(pairing.read_text("utf-8"))
        moved = known["url"] != url
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupFailed(
            f"{pairing} cannot be read ({error}); remove the folder {pairing.parent} and run again."
        ) from None
    if moved:
        kept.write_private(pairing, json.dumps({**known, "url": url}) + "\n")


def write_bridge_config(options: Options) -> None:
    """The bridge's local configuration: which ports exist beside those that USB lists."""
    lines = ["# Written by the local farm at every start.", ""]
    executed_log(options, "").parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in simulated_names(options):
        log = quote(str(executed_log(options, name)), safe="/")
        # As most boards do: otherwise only their own reset button helps after a remote stop.
        card = quote(options.card, safe=":,")
        url = f"virtual://{name}?speed={options.speed:g}&reset_on_open=1&log={log}&card={card}"
        lines += ["[[simulate]]", f"url = {json.dumps(url)}", ""]
    for each in options.attach:
        lines += ["[[path]]", f"device = {json.dumps(each.device)}", ""]
    path = options.data / "bridge" / "bridge.toml"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept.write_private(path, "\n".join(lines))


def executed_log(options: Options, name: str) -> Path:
    """Where the simulated printer *name* writes every command that it executed."""
    return options.data / "bridge" / "simulators" / f"{name}.lines"


def simulated_names(options: Options) -> list[str]:
    """sim1, sim2, …"""
    return [f"sim{number}" for number in range(1, options.printers + 1)]


async def add_printers(client: Client, options: Options) -> list[dict[str, Any]]:
    """The farm's printers as v1 shows them; those that are missing are made.

    Raises `SetupFailed` when the bridge does not list an attached device.
    """
    wanted: list[dict[str, Any]] = [
        {"name": name.capitalize(), "port_id": f"virtual:{name}", "model": "Simulated"}
        for name in simulated_names(options)
    ]
    wanted += [
        {"name": each.name, "port_id": f"path:{each.device}", "baud": each.baud}
        for each in options.attach
    ]
    bridge = await the_bridge(client)
    await _until_listed(client, bridge["id"], {each["port_id"] for each in wanted})
    existing = {each["port_id"]: each for each in await _printers(client)}
    for each in wanted:
        if each["port_id"] not in existing:
            body = {**each, "bridge_id": bridge["id"], "api_type": "serial"}
            await client.call("POST", "/printers", body)
    names = {each["port_id"] for each in wanted}
    return [each for each in await _printers(client) if each["port_id"] in names]


async def _printers(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await client.call("GET", "/printers?limit=500")
    return found


async def the_bridge(client: Client) -> dict[str, Any]:
    """The local room. Raises `SetupFailed` without one."""
    bridges = await client.call("GET", "/bridges")
    if not bridges:
        raise SetupFailed("No bridge is paired; remove the folder bridge in --data and run again.")
    found: dict[str, Any] = bridges[0]
    return found


async def _until_listed(client: Client, bridge_id: int, wanted: set[str]) -> None:
    deadline = asyncio.get_running_loop().time() + PORTS_TIMEOUT_S
    missing = wanted
    while missing:
        ports = await client.call("GET", f"/bridges/{bridge_id}/ports?limit=500")
        missing = wanted - {port["port_id"] for port in ports}
        if not missing:
            return
        gone = _gone(missing)
        if gone or asyncio.get_running_loop().time() > deadline:
            there = ", ".join(port["device"] for port in ports) or "none"
            what = ", ".join(gone or sorted(missing))
            raise SetupFailed(f"The bridge has no port {what}. Ports here: {there}.")
        await asyncio.sleep(0.2)


def _gone(port_ids: set[str]) -> list[str]:
    devices = [name.removeprefix("path:") for name in port_ids if name.startswith("path:")]
    return [device for device in devices if not Path(device).exists()]


async def until_operational(client: Client, ids: set[int], timeout_s: float) -> list[int]:
    """Wait until every printer answers; the ids of those that do not, empty when all do."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            states = {each["id"]: each["status"] for each in await _printers(client)}
        except httpx.HTTPError:
            states = {}
        silent = [each for each in ids if states.get(each) not in ("idle", "printing", "paused")]
        if not silent or asyncio.get_running_loop().time() > deadline:
            return silent
        await asyncio.sleep(0.1)


async def keys(client: Client, options: Options, known: Credentials, slugs: dict[str, int]) -> None:
    """An OctoPrint key bound to each printer, kept with the other credentials."""
    for slug, printer_id in slugs.items():
        if slug not in known.octoprint_keys:
            made = await client.call(
                "POST", f"/printers/{printer_id}/octoprint-key", {"name": "local farm"}
            )
            known.octoprint_keys[slug] = made["api_key"]
    kept.save(options.data, known)


async def queue_demo(client: Client, printers: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Upload the demo file and queue it on the first simulated printer; the job, or None."""
    simulated = [each for each in printers if str(each["port_id"]).startswith("virtual:")]
    if not simulated:
        return None
    uploaded = await client.upload(DEMO_FILE)
    job: dict[str, Any] = await client.call(
        "POST",
        "/jobs",
        {
            "item_name": "Demo: 10 mm cube",
            "print_file_id": uploaded["id"],
            "printer_id": simulated[0]["id"],
        },
    )
    return job


async def until_senders_known(state: Path, ids: set[int]) -> bool:
    """Whether the agent's status file names a sender for each printer within 10 s."""
    for _ in range(100):
        pids = sender_pids(state)
        if all(pids.get(each) for each in ids):
            return True
        await asyncio.sleep(0.1)
    return False


def sender_pids(state: Path) -> dict[int, int]:
    """printer id -> process id of its sender, from the agent's status file; empty without one."""
    return {each["printer"]: each["pid"] or 0 for each in _agent_status(state).get("senders", [])}


def detached_pids(state: Path) -> list[int]:
    """Every process that the agent started and that outlives it: senders and simulators."""
    status = _agent_status(state)
    found = [each["pid"] for key in ("senders", "simulators") for each in status.get(key, [])]
    return [pid for pid in found if pid]


async def until_gone(pids: list[int], timeout_s: float) -> list[int]:
    """Wait until none of the processes exists; those that still do after *timeout_s*."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while left := [pid for pid in pids if not collect(pid)]:
        if asyncio.get_running_loop().time() > deadline:
            return left
        await asyncio.sleep(0.02)
    return []


def _agent_status(state: Path) -> dict[str, Any]:
    try:
        found = json.loads((state / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
