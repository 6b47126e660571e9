"""@jamesgopsill/octoprint-client, a published client of npm for Node.js and browsers."""

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fakes.npm import package

#: A call is a line of its standard input, what it answers one of its output.
_PROGRAM = """
import { createInterface } from "node:readline";
const [program, url, key] = process.argv.slice(1);
const { OctoPrintClient } = await import(program);
console.log = () => {};
for await (const line of createInterface({ input: process.stdin })) {
  const [method, ...parameters] = JSON.parse(line);
  const { status, data } = await new OctoPrintClient(url, key)[method](...parameters);
  process.stdout.write(JSON.stringify([status, data]) + "\\n");
}
"""


def installed() -> Path:
    """Its program; installed once for this user. Raises `CalledProcessError` without a registry."""
    program = "@jamesgopsill/octoprint-client/dist/esm/index.js"
    return package("@jamesgopsill/octoprint-client@0.3.0", "octoprint-npm", program)


class OctoprintNpm:
    """`with OctoprintNpm(url, key) as client: client.call("version")`."""

    def __init__(self, url: str, key: str) -> None:
        arguments = (installed().as_uri(), url, key)
        self._process = subprocess.Popen(
            ["node", "--input-type=module", "--eval", _PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "NO_PROXY": "*"},
            text=True,
        )

    def __enter__(self) -> "OctoprintNpm":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=20.0)

    def call(self, method: str, *parameters: Any) -> tuple[int, Any]:
        """The status of one call and its decoded answer; fails when the client does."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, *parameters]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"{method}: the client ended with {self._process.wait(20.0)}"
        status, data = json.loads(answer)
        return status, data
