"""A farm whose processes a test holds in its hand: nobody starts again what died but the test.

API, agent and one simulated printer with its sender. `infra.farm` furnishes it and would wait
longer and longer before it starts again what a test kills every few seconds.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.farm import rooms
from infra.farm.children import run_once
from infra.farm.client import Client
from infra.farm.credentials import Credentials
from infra.farm.farm import octoprint_url
from infra.farm.ground import make_data_directory
from infra.farm.options import Options, parse
from infra.farm.started import free_port
from tests.fakes.migrated import sqlite_into
from tests.fakes.wall_clock import WallClock

START_S = 60.0
STOP_S = 30.0


class Process:
    """`python -m ARGUMENTS`; with *wall* its wall clock is what that file says."""

    def __init__(self, log: Path, *arguments: str, wall: WallClock | None = None) -> None:
        before = ["tests.fakes.wall_clock", str(wall.file)] if wall is not None else []
        self._command = [sys.executable, "-m", *before, *arguments]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, anew if it ran before; who needs it waits for it."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def gone(self) -> None:
        """Wait until it has ended."""
        assert self._process is not None
        self._process.wait(STOP_S)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.is_running:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self.gone()


class HandFarm:
    """`with HandFarm(folder) as farm:`; what `StartedFarm` says of itself it says too.

    *database_url*: of a migrated database; None: SQLite.
    """

    def __init__(
        self, directory: Path, *, speed: float = 0.0, database_url: str | None = None
    ) -> None:
        self.directory = directory
        self.state = directory / "data" / "bridge"
        arguments = ["--port", str(free_port()), "--data", str(directory / "data")]
        arguments += ["--printers", "1", "--speed", f"{speed:g}"]
        self._options: Options = parse(arguments)
        self._database = ["--database-url", database_url] if database_url else []
        self._logs = directory / "data" / "logs"
        directory.mkdir(parents=True, exist_ok=True)
        self.api_wall = WallClock(directory / "api.clock")
        self.agent_wall = WallClock(directory / "agent.clock")
        self.api = Process(
            self._logs / "api.log",
            *("api.container", "--host", "127.0.0.1", "--port", str(self._options.port)),
            *("--data", str(self._options.data), *self._database),
            wall=self.api_wall,
        )
        self.agent = Process(
            self._logs / "agent.log",
            *("bridge", "run", "--state-dir", str(self.state)),
            wall=self.agent_wall,
        )
        self.ready: dict[str, Any] = {}

    @property
    def port(self) -> int:
        """Where the API listens."""
        return self._options.port

    @property
    def sender_pid(self) -> int:
        """The process of the printer's sender, as the agent says; 0: it does not say."""
        return next(iter(rooms.sender_pids(self.state).values()), 0)

    def __enter__(self) -> "HandFarm":
        try:
            asyncio.run(self._open())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def dial(self, port: int) -> None:
        """The agent's next life dials the API there."""
        rooms.follow(self.state / "pairing.json", f"http://127.0.0.1:{port}")

    def status(self) -> dict[str, Any]:
        """What the agent says in its status file."""
        found: dict[str, Any] = json.loads((self.state / "status.json").read_text("utf-8"))
        return found

    async def _open(self) -> None:
        options = self._options
        make_data_directory(options.data)
        if not self._database:
            await asyncio.to_thread(sqlite_into, options.data)
        self.api.start()
        client = Client(options.url)
        try:
            assert await client.until_up(START_S), "the API did not start"
            known = await rooms.sign_in(client, options)
            await rooms.pair(client, options, self._run_named)
            rooms.write_bridge_config(options)
            self._keep_the_board_awake()
            self.agent.start()
            [printer] = await rooms.add_printers(client, options)
            await rooms.keys(client, options, known, {printer["slug"]: printer["id"]})
            silent = await rooms.until_operational(client, {printer["id"]}, START_S)
            assert not silent, "the printer did not answer"
            assert await rooms.until_senders_known(self.state, {printer["id"]})
        finally:
            await client.close()
        self.ready = self._described(known, printer)

    def _keep_the_board_awake(self) -> None:
        """A board that does not reset when its port is opened: a print can be taken up again."""
        config = self.state / "bridge.toml"
        config.write_text(config.read_text("utf-8").replace("reset_on_open=1", "reset_on_open=0"))

    def _described(self, known: Credentials, printer: dict[str, Any]) -> dict[str, Any]:
        slug, name = printer["slug"], printer["port_id"].removeprefix("virtual:")
        shown = {
            "id": printer["id"],
            "slug": slug,
            "octoprint_url": octoprint_url(self._options, slug),
            "octoprint_key": known.octoprint_keys[slug],
            "executed_log": str(rooms.executed_log(self._options, name)),
        }
        admin = {"username": known.username, "password": known.password}
        url = self._options.url
        return {"url": url, "token": known.token, "admin": admin, "printers": [shown]}

    async def _run(self, *arguments: str) -> None:
        await self._run_named(arguments[0], list(arguments))

    async def _run_named(self, name: str, arguments: list[str]) -> None:
        await run_once(name, arguments, self._logs / f"{name}.log")

    def _close(self) -> None:
        with suppress(ProcessLookupError):
            self.agent.stop()
        if self.state.exists():
            asyncio.run(self._run("bridge", "stop", "--all", "--state-dir", str(self.state)))
        with suppress(ProcessLookupError):
            self.api.stop()
