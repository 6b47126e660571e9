"""What waiting jobs ask for, with what their files told; remembered while they wait."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from api.clock import Clock
from api.jobs.line import Waiting
from api.scheduler.needs import Need, need_of
from api.scheduler.spots import Spot
from schemas.gcode.preflight import blocking
from schemas.gcode.survey import Survey
from schemas.printer import Profile

#: So often a file that is not analysed yet is asked for again, in seconds.
ASK_AGAIN_S = 5.0
_AT_ONCE = 1000


class FileRoom(Protocol):
    """What the queue needs of the files."""

    async def blobs(self, organization_id: int, blob_ids: Iterable[int]) -> Mapping[int, Any]:
        """These files of an organization, by their id, with *facts* and *analysis*; those that are
        not there are left out.
        """

    async def kept_surveys(self, blob_ids: Collection[int]) -> Mapping[int, Survey]:
        """What these files ask of a printer, line by line; of some nobody knows yet."""


@dataclass(frozen=True, slots=True)
class _Known:
    facts: Mapping[str, Any]
    analysis: Mapping[str, Any]
    survey: Survey | None
    ask_again_at: float | None  # monotonic; None: nothing more will be known
    refusals: dict[Profile, str | None] = field(default_factory=dict)


_NOTHING = _Known({}, {}, None, None)


class Demands:
    """Needs by job. A file never changes, so its facts are read once."""

    def __init__(self, files: FileRoom, clock: Clock) -> None:
        self._rows = files
        self._clock = clock
        self._files: dict[int, _Known] = {}
        self._needs: dict[int, tuple[Waiting, _Known, Need]] = {}

    async def of_line(self, organization_id: int, line: Sequence[Waiting]) -> Sequence[Need]:
        """The needs of everybody who waits in an organization, in their order."""
        await self._read(organization_id, line)
        return [self._need(job) for job in line]

    async def once(self, organization_id: int, jobs: Sequence[Waiting]) -> Sequence[Need]:
        """The needs of *jobs*, of which nothing is remembered but what their files told."""
        await self._read(organization_id, jobs)
        return [need_of(job, known.facts, known.analysis) for job, known in self._with_files(jobs)]

    def refusal(self, blob_id: int, spot: Spot) -> str | None:
        """What the preflight has against a file on a printer; None: nothing, or nobody has looked.

        Only of files that were read with the needs of their jobs.
        """
        known = self._files.get(blob_id, _NOTHING)
        if known.survey is None:
            return None
        if spot.profile not in known.refusals:
            concern = blocking(known.survey, spot.profile)
            known.refusals[spot.profile] = None if concern is None else concern.text
        return known.refusals[spot.profile]

    def keep_only(self, line: Iterable[Waiting]) -> None:
        """Forget whoever is not in *line* any more, the whole deployment's."""
        waiting = {job.id: job for job in line}
        for gone in self._needs.keys() - waiting.keys():
            del self._needs[gone]
        in_use = {job.blob_id for job in waiting.values()}
        for file in [each for each in self._files if each not in in_use]:
            del self._files[file]

    def _with_files(self, jobs: Iterable[Waiting]) -> Iterable[tuple[Waiting, _Known]]:
        return ((job, self._files.get(job.blob_id or 0, _NOTHING)) for job in jobs)

    def _need(self, job: Waiting) -> Need:
        file = self._files.get(job.blob_id or 0, _NOTHING)
        known = self._needs.get(job.id)
        if known is None or known[0] is not job or known[1] is not file:
            known = self._needs[job.id] = job, file, need_of(job, file.facts, file.analysis)
        return known[2]

    async def _read(self, organization_id: int, jobs: Iterable[Waiting]) -> None:
        now_s = self._clock.monotonic()
        asked = {job.blob_id for job in jobs if self._must_ask(job.blob_id, now_s)}
        wanted = sorted(each for each in asked if each is not None)
        for start in range(0, len(wanted), _AT_ONCE):
            ids = wanted[start : start + _AT_ONCE]
            surveys = await self._rows.kept_surveys(ids)
            for blob_id, row in (await self._rows.blobs(organization_id, ids)).items():
                survey = surveys.get(blob_id)
                is_whole = row.analysis is not None and survey is not None
                again_at = None if is_whole else now_s + ASK_AGAIN_S
                known = _Known(row.facts or {}, row.analysis or {}, survey, again_at)
                self._files[blob_id] = known

    def _must_ask(self, blob_id: int | None, now_s: float) -> bool:
        if blob_id is None:
            return False
        known = self._files.get(blob_id)
        return known is None or (known.ask_again_at is not None and now_s >= known.ask_again_at)
