"""octoprint-cli, the published command line client, as its users type it.

The package is fetched from its registry once for this user; nothing of it is kept here.
"""

import os
import subprocess
import sys
from pathlib import Path

PACKAGES = ("octoprint-cli==3.3.2.post1", "termcolor==3.3.0")
_SETTINGS = """\
[server]
ServerAddress = {url}
ApiKey = {key}
[preferences]
FormattedText = false
UpdateCheck = false
"""


def package() -> Path:
    """Where it can be imported from. Raises `CalledProcessError` without a registry."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = base / "gantry-tests" / "octoprint-cli"
    if not (cache / "termcolor").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade"]
        subprocess.run(
            [*pip, "--target", str(cache), *PACKAGES],
            check=True,
            capture_output=True,
            timeout=100.0,
        )
    return cache


class OctoprintCli:
    """One user with a configuration file in *directory*."""

    def __init__(self, directory: Path, url: str, key: str) -> None:
        self._settings = directory / "octoprint-cli.ini"
        self._settings.write_text(_SETTINGS.format(url=url, key=key), "utf-8")
        self._environment = {**os.environ, "PYTHONPATH": str(package()), "PYTHONUTF8": "1"}

    def run(self, *words: str) -> tuple[int, str]:
        """The exit status of one command and all that it has printed."""
        done = subprocess.run(
            [sys.executable, "-m", "octoprint_cli", "-c", str(self._settings), *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60.0,
        )
        return done.returncode, done.stdout
