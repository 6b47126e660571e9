"""OctoPrint's own JavaScript client, out of its package, for a page of a real browser.

The package is fetched from its registry once for this user; nothing of it is kept here.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.fakes.browser import Page

PACKAGE = "OctoPrint==1.11.8"
_JS = "octoprint/static/js"
_FILES = (
    *("lib/jquery/jquery.min.js", "lib/lodash.min.js", "lib/sockjs.min.js"),
    *("app/client/base.js", "app/client/socket.js", "app/client/access.js"),
    *("app/client/browser.js", "app/client/connection.js", "app/client/control.js"),
    *("app/client/files.js", "app/client/job.js", "app/client/printer.js"),
    *("app/client/printerprofiles.js", "app/client/settings.js", "app/client/slicing.js"),
    *("app/client/system.js", "app/client/timelapse.js", "app/client/users.js"),
    *("app/client/util.js", "app/client/languages.js", "app/client/wizard.js"),
)


def package() -> Path:
    """The package's file. Raises `CalledProcessError` without a registry."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = base / "gantry-tests" / "octoprint"
    if not (found := sorted(cache.glob("*.whl"))):
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache), PACKAGE],
            check=True,
            capture_output=True,
            timeout=100.0,
        )
        found = sorted(cache.glob("*.whl"))
    return found[-1]


def load(page: Page, base_url: str) -> None:
    """Put the client into *page*, for the OctoPrint at *base_url*."""
    with zipfile.ZipFile(package()) as wheel:
        for name in _FILES:
            page.run(wheel.read(f"{_JS}/{name}").decode() + "\n;0")
    page.run(f"OctoPrint.options.baseurl = {base_url!r}; 0")
