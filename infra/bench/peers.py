"""Other hosts for comparison, from PyPI, in a virtual environment under the cache directory.

Each is driven by a small program in that environment: it connects, prints a file, and leaves when
the last line is acknowledged. A host that cannot be installed here is left out, and that is said.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

#: host, what is installed for it; Printrun's window would be built from source and is not needed
PACKAGES = {
    "printcore": ("--no-deps", "Printrun", "pyserial", "platformdirs"),
    "octoprint": ("OctoPrint",),
}

_PROGRAMS = {
    "printcore": """
import sys, time
from printrun.printcore import printcore
from printrun import gcoder
port, file = sys.argv[1:]
host = printcore(port, 115200)
while not host.online:
    time.sleep(0.05)
host.startprint(gcoder.LightGCode([line.strip() for line in open(file)]))
while host.printing:
    time.sleep(0.05)
time.sleep(0.2)
host.disconnect()
""",
    "octoprint": """
import sys, tempfile, time
from octoprint.settings import settings
conf = settings(init=True, basedir=tempfile.mkdtemp())
conf.setBoolean(["serial", "waitForStartOnConnect"], False)
conf.set(["serial", "additionalPorts"], [sys.argv[1]])
from octoprint import plugin
plugin.plugin_manager(init=True, plugin_folders=[], plugin_entry_points=[])
from octoprint.events import eventManager
from octoprint.printer.profile import PrinterProfileManager
from octoprint.util.comm import MachineCom
port, file = sys.argv[1:]
eventManager()
class Deaf:
    def __getattr__(self, name):
        return lambda *a, **k: None
profiles = PrinterProfileManager()
comm = MachineCom(port, 115200, callbackObject=Deaf(), printerProfileManager=profiles)
comm.start()
while not comm.isOperational():
    time.sleep(0.05)
comm.selectFile(file, False)
comm.startPrint()
time.sleep(0.5)
while comm.isPrinting() or comm.isFinishing():
    time.sleep(0.05)
time.sleep(0.2)
comm.close()
import os
os._exit(0)
""",
}


def directory() -> Path:
    """Where the environment lies."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "gantry-peers"


def ready() -> list[str]:
    """Make the environment if it is missing; the hosts that can be measured."""
    home = directory()
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    usable = []
    for host, packages in PACKAGES.items():
        mark = home / f"{host}.installed"
        if not mark.exists():
            install = [str(python), "-m", "pip", "install", "--quiet", *packages]
            if subprocess.run(install, check=False).returncode != 0:
                print(f"{host} cannot be installed here and is left out", file=sys.stderr)
                continue
            mark.touch()
        _program(host).write_text(_PROGRAMS[host], "utf-8")
        usable.append(host)
    return usable


def command(host: str, port: str, file: Path) -> list[str]:
    """How *host* prints *file* at *port*."""
    return [str(directory() / "bin" / "python"), str(_program(host)), port, str(file)]


def _program(host: str) -> Path:
    """What drives *host*; it must not be called like a package that it imports."""
    return directory() / f"drive_{host}.py"
