"""Files of leases come before they are needed: a room that is cut off cannot fetch any more."""

import asyncio
import logging
from collections.abc import Iterable

from bridge.agent.errors import SpoolError
from bridge.agent.work import Files
from schemas.leases import Lease

log = logging.getLogger(__name__)

AGAIN_S = 30.0


class Prefetch:
    """Brings the files of leases into the spool, one after the other."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._wanted: dict[str, int] = {}
        self._there: set[str] = set()
        self._changed = asyncio.Event()

    def want(self, leases: Iterable[Lease]) -> None:
        """Have the files of these, and forget the others."""
        self._wanted = {lease.sha256: lease.size_bytes for lease in leases}
        self._there &= self._wanted.keys()
        self._changed.set()

    def has(self, sha256: str) -> bool:
        """Whether it came whole, when it came; `verified` looks again."""
        return sha256 in self._there

    def pinned(self) -> set[str]:
        """Hashes of the files that must stay in the spool."""
        return set(self._wanted)

    async def verified(self, sha256: str, size_bytes: int) -> bool:
        """Whether the file lies whole in the spool now; a wrong one is fetched again."""
        if await self._files.has(sha256, size_bytes):
            return True
        self._there.discard(sha256)
        self._changed.set()
        return False

    async def run(self) -> None:
        """Fetch what is missing, for ever; what fails is tried again."""
        while True:
            self._changed.clear()
            for sha256, size_bytes in tuple(self._wanted.items()):
                if sha256 not in self._there:
                    await self._bring(sha256, size_bytes)
            is_whole = self._wanted.keys() <= self._there
            try:
                async with asyncio.timeout(None if is_whole else AGAIN_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _bring(self, sha256: str, size_bytes: int) -> None:
        try:
            await self._files.fetch(sha256, size_bytes)
        except SpoolError as error:
            log.info("the file of a later job is fetched again: %s", error)
        else:
            self._there.add(sha256)
            self._there &= self._wanted.keys()
