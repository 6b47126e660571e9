"""The rooms that look back on prints, put together: archive, projects, tags, timelapses (v1 2.10).

They hold no state and no other room asks them, so they are made where their routes are declared.
"""

from api.archives.routes import ArchiveRoutes
from api.archives.service import Archives
from api.archives.shown import ShownArchives
from api.config import Settings
from api.jobs.tagged import RequiredTags
from api.projects.parcels import Parcels
from api.projects.routes import ProjectRoutes
from api.projects.service import Projects
from api.rooms import Rooms
from api.tags.routes import TagRoutes
from api.tags.service import Tags
from api.timelapses.routes import TimelapseRoutes
from api.timelapses.service import Timelapses
from api.v1 import V1


def register(v1: V1, rooms: Rooms, settings: Settings) -> None:
    """Declare their routes."""
    ledger, clock = rooms.ledger, rooms.scheduler.clock
    archives = Archives(rooms.jobs.create, rooms.printers, rooms.files, ledger, clock)
    shown = ShownArchives(rooms.printers, rooms.accounts)
    ArchiveRoutes(archives, shown).register(v1)
    projects = Projects(archives, ledger, clock)
    parcels = Parcels(projects, shown, rooms.files, rooms.library)
    ProjectRoutes(projects, parcels, shown, settings).register(v1)
    required = RequiredTags(clock)
    TagRoutes(Tags(rooms.printers, rooms.pools, archives, required, ledger)).register(v1)
    TimelapseRoutes(Timelapses()).register(v1)
