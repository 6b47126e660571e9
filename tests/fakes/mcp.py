"""The published MCP client of O.D.I.N., from npm, spoken to over its standard input and output."""

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fakes.npm import package


def installed() -> Path:
    """Its program; installed once for this user. Raises `CalledProcessError` without a registry."""
    program = "odin-print-farm-mcp/dist/index.js"
    return package("odin-print-farm-mcp@2.1.0", "mcp", program)


class Mcp:
    """`with Mcp(url, token) as mcp: mcp.call("list_printers")`."""

    def __init__(self, url: str, token: str) -> None:
        self._process = subprocess.Popen(
            ["node", str(installed())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "ODIN_BASE_URL": url, "ODIN_API_KEY": token, "NO_PROXY": "*"},
            text=True,
        )
        self._number = 0

    def __enter__(self) -> "Mcp":
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "gantry-tests", "version": "1"},
        }
        self._ask("initialize", hello)
        self._say({"method": "notifications/initialized"})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(20.0)
        self._process.stdout.close()

    def tools(self) -> set[str]:
        """The names of all tools."""
        return {tool["name"] for tool in self._ask("tools/list", {})["tools"]}

    def call(self, tool: str, **arguments: Any) -> Any:
        """What *tool* answers, decoded; fails when the tool says that it failed."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        assert not answer.get("isError"), (tool, answer)
        return json.loads(answer["content"][0]["text"])

    def refused(self, tool: str, **arguments: Any) -> Any:
        """The error of *tool*; fails when it succeeds."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        assert answer.get("isError"), (tool, answer)
        return json.loads(answer["content"][0]["text"])["error"]

    def _ask(self, method: str, parameters: Any) -> Any:
        self._number += 1
        self._say({"id": self._number, "method": method, "params": parameters})
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            answer = json.loads(line)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
        raise AssertionError(f"{method}: the client ended with {self._process.wait()}")

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()
