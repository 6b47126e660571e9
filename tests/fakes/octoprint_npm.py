"""@jamesgopsill/octoprint-client, a published client of npm for Node.js and browsers.

The package is fetched from its registry once for this user; nothing of it is kept here.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

PACKAGE = "@jamesgopsill/octoprint-client@0.3.0"
NPM = shutil.which("npm") if shutil.which("node") else None
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
    assert NPM is not None
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = base / "gantry-tests" / "octoprint-npm"
    package = cache / "node_modules" / "@jamesgopsill" / "octoprint-client"
    program = package / "dist" / "esm" / "index.js"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [NPM, "install", "--no-audit", "--no-fund", "--prefix", str(cache), PACKAGE],
            check=True,
            capture_output=True,
            timeout=110.0,
        )
    return program


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
