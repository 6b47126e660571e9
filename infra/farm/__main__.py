"""`python -m infra.farm`: start, watch, and on Ctrl-C end every process that was started."""

import asyncio
import contextlib
import signal
import sys

import httpx

from infra.farm.children import ChildFailed
from infra.farm.client import Refused
from infra.farm.farm import Farm, say_error
from infra.farm.options import Options, parse
from infra.farm.rooms import SetupFailed
from infra.farm.screen import open_screen


async def run(options: Options) -> int:
    """Run one farm until a signal; the exit status."""
    screen = open_screen()
    farm = Farm(options, screen)
    work = asyncio.create_task(_up_and_watch(farm))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, work.cancel)
    status = 0
    try:
        await work
    except asyncio.CancelledError:
        screen.note("Stopping …")
    except (ChildFailed, SetupFailed, Refused, httpx.HTTPError) as error:
        screen.close()
        say_error(str(error) or type(error).__name__)
        status = 1
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, screen.note, "Stopping already; wait a moment.")
    await farm.stop()
    screen.note("Stopped.")
    screen.close()
    return status


async def _up_and_watch(farm: Farm) -> None:
    await farm.start()
    await farm.watch()


def main() -> int:
    """The exit status."""
    options = parse()
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(run(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
