"""Which printer or pool lives at a script root, whoever asks, and paths as clients write them."""

import re
from typing import Any

from api.errors import NotFound
from api.pools.service import Pool, Pools
from api.principal import Principal
from api.printers.service import Printer, Printers

#: The script root of a printer or pool is this and its slug; at the server's root it is empty.
SLUG_ROOT = "/octoprint/"

_SLASHES = re.compile("/{2,}")


def tidy(scope: Any) -> None:
    """Take doubled slashes out of a path below a printer's or pool's root.

    People end the address with a slash, and many a client adds its own; few follow a redirect
    when they upload.
    """
    path = scope["path"]
    if "//" in path and path.startswith(SLUG_ROOT):
        scope["path"] = _SLASHES.sub("/", path)
        scope["raw_path"] = re.sub(rb"/{2,}", b"/", scope.get("raw_path") or path.encode())


class Addresses:
    """The slugs of printers and pools."""

    def __init__(self, printers: Printers, pools: Pools) -> None:
        self._printers = printers
        self._pools = pools

    async def find(self, root: str) -> Printer | Pool | None:
        """Who lives at *root*, of whatever organization; None for nobody, and for ""."""
        slug = root.removeprefix(SLUG_ROOT)
        if not slug:
            return None
        return await self._printers.find_slug(slug) or await self._pools.find_slug(slug)

    async def of(self, by: Principal, root: str) -> Printer | Pool:
        """Who lives at *root*; at the server's root the key's printer, else the first one.

        Raises `NotFound` for what is not the caller's.
        """
        slug = root.removeprefix(SLUG_ROOT)
        if not slug:
            return await self._printers.default_printer(by)
        try:
            return await self._printers.by_slug(by, slug)
        except NotFound as no_printer:
            try:
                return await self._pools.by_slug(by, slug)
            except NotFound:
                raise NotFound(
                    f"There is no printer or pool at {root}/. Compare the address with the one "
                    "that Gantry shows for the printer.",
                    code=no_printer.code,
                ) from None
