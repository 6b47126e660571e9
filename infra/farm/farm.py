"""The farm itself: what starts in which order, what is watched, and how it all ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from infra.farm import rooms
from infra.farm.children import Child, ChildFailed, collect, inherit_orphans, run_once
from infra.farm.client import Client, Refused
from infra.farm.credentials import Credentials, write_private
from infra.farm.ground import Ground, until_free
from infra.farm.options import Options
from infra.farm.screen import Screen

API_TIMEOUT_S = 60.0
STOP_BRIDGE_TIMEOUT_S = 60.0
GONE_TIMEOUT_S = 5.0
LAST_WORD_TIMEOUT_S = 20.0


class Farm:
    """One local farm. `start()`, then `watch()` until it is cancelled, then `stop()`."""

    def __init__(self, options: Options, screen: Screen) -> None:
        self.options = options
        self.screen = screen
        self.client = Client(options.url)
        self.known = Credentials()
        self.printers: list[dict[str, Any]] = []
        self.bridge: dict[str, Any] = {}
        self.version = ""
        logs = options.data / "logs"
        self.logs = logs
        self.api = Child("api", self._api_arguments(), logs / "api.log", self._restarted)
        self.agent = Child("agent", self._agent_arguments(), logs / "agent.log", self._restarted)
        self._ground: Ground | None = None
        self._senders: dict[int, int] = {}
        self._detached: set[int] = set()
        self._written = ""

    # Up.

    async def start(self) -> None:
        """Bring everything up. Raises `ChildFailed` or `SetupFailed` with what to do."""
        self._ground = Ground(self.options.data)
        inherit_orphans()
        self.screen.note("Migrating the database …")
        await self._run("migration", ["api.migrate", *self._database_arguments()])
        self.screen.note(f"Starting the API on {self.options.url} …")
        await until_free(self.options.host, self.options.port)
        await self._start_api()
        self.known = await rooms.sign_in(self.client, self.options)
        version = await self.client.call("GET", "/version")
        self.version = str(version.get("product_version", version["version"]))
        self.screen.note("Starting the bridge …")
        await rooms.pair(self.client, self.options, self._run)
        rooms.write_bridge_config(self.options)
        await self.agent.start()
        self.printers = await rooms.add_printers(self.client, self.options)
        self.bridge = await rooms.the_bridge(self.client)
        slugs = {printer["slug"]: printer["id"] for printer in self.printers}
        await rooms.keys(self.client, self.options, self.known, slugs)
        self.screen.welcome(self._welcome())
        await self._until_ready()
        if self.options.demo_job:
            job = await rooms.queue_demo(self.client, self.printers)
            if job is not None:
                self.screen.note(f"Queued {job['item_name']!r} as job {job['id']}.")

    async def _start_api(self) -> None:
        await self.api.start()
        up = asyncio.create_task(self.client.until_up(API_TIMEOUT_S))
        while not up.done():
            await asyncio.wait([up], timeout=0.1)
            if not up.done() and self.api.restarts + (self.api.pid == 0):
                up.cancel()
                raise ChildFailed(self.api.last_words())
        if not up.result():
            raise ChildFailed(f"the API did not answer within {API_TIMEOUT_S:.0f} s")

    async def _until_ready(self) -> None:
        ids = {printer["id"] for printer in self.printers}
        silent = await rooms.until_operational(self.client, ids, rooms.OPERATIONAL_TIMEOUT_S)
        for printer in self.printers:
            if printer["id"] in silent:
                self.screen.note(
                    f"{printer['name']} does not answer on {printer['port_id']}: check cable, "
                    "power and baud rate; the bridge keeps trying."
                )
        if not silent and await rooms.until_senders_known(self._bridge_state(), ids):
            self._write_ready_file()

    # Watching.

    async def watch(self) -> None:
        """Show the printers once a second and keep the ready file true; never returns."""
        jobs: dict[int, str] = {}
        while True:
            try:
                self._detached = {pid for pid in self._now_detached() if not collect(pid)}
                self.printers = await self._current_printers()
                self.screen.show(self.printers)
                await self._tell_jobs(jobs)
                if all(printer["status"] != "offline" for printer in self.printers):
                    self._write_ready_file()
            except (httpx.HTTPError, Refused) as error:
                self.screen.note(f"The API does not answer: {type(error).__name__} {error}")
            await asyncio.sleep(1.0)

    async def _current_printers(self) -> list[dict[str, Any]]:
        mine = {printer["id"] for printer in self.printers}
        found = await self.client.call("GET", "/printers?limit=500")
        return [printer for printer in found if printer["id"] in mine]

    async def _tell_jobs(self, known: dict[int, str]) -> None:
        for job in await self.client.call("GET", "/jobs?limit=50"):
            before = known.get(job["id"])
            if job["status"] != before:
                known[job["id"]] = job["status"]
                if before is not None or job["status"] in ("printing", "pending"):
                    self.screen.note(f"Job {job['id']} {job['item_name']!r}: {job['status']}")

    # Down.

    async def stop(self) -> None:
        """End every process this farm started; prints on attached printers are cancelled first.

        A farm that never had the data directory to itself touches nothing: what runs there prints.
        """
        if self._ground is None:
            await self.client.close()
            return
        state = self._bridge_state()
        pids = list(self._now_detached())
        await self.agent.stop()
        if pids or state.exists():
            await self._stop_printers(state, pids)
        await self.api.stop()
        await self.client.close()
        if self.options.ready_file is not None:
            self.options.ready_file.unlink(missing_ok=True)
        self._ground.leave()

    async def _stop_printers(self, state: Path, pids: list[int]) -> None:
        arguments = ["bridge", "stop", "--all", "--state-dir", str(state)]
        try:
            async with asyncio.timeout(STOP_BRIDGE_TIMEOUT_S):
                await self._run("stopping", arguments)
        except (ChildFailed, TimeoutError) as error:
            self.screen.note(f"Some printers did not stop cleanly: {error}")
        left = await rooms.until_gone(pids, GONE_TIMEOUT_S)
        for pid in left:  # a sender still ends its print by its own script then
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if left := await rooms.until_gone(left, LAST_WORD_TIMEOUT_S):
            self.screen.note(f"Still running: processes {', '.join(map(str, left))}")

    # Details.

    def _restarted(self, name: str, what: str) -> None:
        self.screen.note(f"{name} {what}")

    async def _run(self, name: str, arguments: Sequence[str]) -> None:
        await run_once(name, arguments, self.logs / f"{name}.log")

    def _database_arguments(self) -> list[str]:
        given = ["--data", str(self.options.data)]
        if self.options.database_url:
            given += ["--database-url", self.options.database_url]
        return given

    def _api_arguments(self) -> list[str]:
        options = self.options
        given = ["api.container", "--host", options.host, "--port", str(options.port)]
        given += self._database_arguments()
        for name, value in (("--storage-url", options.storage_url), ("--bus-url", options.bus_url)):
            given += [name, value] if value else []
        return given

    def _agent_arguments(self) -> list[str]:
        return ["bridge", "run", "--state-dir", str(self.options.data / "bridge")]

    def _welcome(self) -> list[tuple[str, str]]:
        lines = [
            ("API", f"{self.options.url}/api/v1"),
            ("admin", f"{self.known.username} / {self.known.password}"),
            ("API token", self.known.token),
        ]
        for printer in self.printers:
            url = octoprint_url(self.options, printer["slug"])
            lines.append((f"OctoPrint: {printer['name']}", url))
            lines.append(("  its key", self.known.octoprint_keys.get(printer["slug"], "")))
        lines += [("LAN", url) for url in lan_urls(self.options)]
        lines.append(("data", str(self.options.data)))
        return lines

    def _write_ready_file(self) -> None:
        if self.options.ready_file is None:
            return
        text = json.dumps(self._ready(), indent=2) + "\n"
        if text != self._written:
            write_private(self.options.ready_file, text)
            self._written = text

    def _ready(self) -> dict[str, Any]:
        state = self._bridge_state()
        # An agent that has just started names no sender before it has adopted it.
        self._senders |= {key: pid for key, pid in rooms.sender_pids(state).items() if pid}
        return {
            "url": self.options.url,
            "version": self.version,
            "admin": {"username": self.known.username, "password": self.known.password},
            "token": self.known.token,
            "processes": {"api": self.api.pid, "agent": self.agent.pid},
            "bridge": {"id": self.bridge["id"], "state_dir": str(state)},
            "printers": [
                {
                    "id": printer["id"],
                    "slug": printer["slug"],
                    "name": printer["name"],
                    "port": printer["port_id"],
                    "octoprint_url": octoprint_url(self.options, printer["slug"]),
                    "octoprint_key": self.known.octoprint_keys[printer["slug"]],
                    "sender_pid": self._senders.get(printer["id"], 0),
                    "executed_log": self._executed_log(printer["port_id"]),
                }
                for printer in self.printers
            ],
        }

    def _now_detached(self) -> set[int]:
        return self._detached | set(rooms.detached_pids(self._bridge_state()))

    def _bridge_state(self) -> Path:
        return self.options.data / "bridge"

    def _executed_log(self, port_id: str) -> str | None:
        if not port_id.startswith("virtual:"):
            return None
        return str(rooms.executed_log(self.options, port_id.removeprefix("virtual:")))


def octoprint_url(options: Options, slug: str) -> str:
    """Where a slicer finds this printer."""
    return f"{options.url}/octoprint/{slug}"


def lan_urls(options: Options) -> list[str]:
    """URLs for other machines when the API listens on all addresses; none otherwise."""
    if options.host not in ("", "0.0.0.0", "::"):
        return []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; the kernel picks our address
        except OSError:
            return []
        return [f"http://{probe.getsockname()[0]}:{options.port}"]


def say_error(text: str) -> None:
    """One clear line on standard error."""
    print(f"farm: {text}", file=sys.stderr, flush=True)
