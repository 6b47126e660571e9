"""Packages of npm that the tests drive, fetched from their registry once for this user."""

import os
import shutil
import subprocess
from pathlib import Path

#: None on a machine without npm or Node.js.
NPM = shutil.which("npm") if shutil.which("node") else None


def package(wanted: str, folder: str, program: str) -> Path:
    """*program* below `node_modules`, of the package *wanted* (name@version) in its own *folder*.

    Raises `CalledProcessError` without a registry.
    """
    assert NPM is not None
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = base / "gantry-tests" / folder
    found = cache / "node_modules" / program
    if not found.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [NPM, "install", "--no-audit", "--no-fund", "--prefix", str(cache), wanted],
            check=True,
            capture_output=True,
            timeout=110.0,
        )
    return found
