"""Leases: the next jobs of a printer, which its room may start while it is cut off from the API.

Room link contract, "Assignments are leases". A lease names the grant and the command with which
the API itself would start the job, so whoever starts it uses the same ones, and the journal of the
room, which takes a grant once, decides between them in every order of events.
"""

import msgspec

#: What an agent says in its hello when it takes leases.
CAPABILITY = "leases"
#: What one says that keeps to the hours of a lease; an older one would not know of them.
HOURS_CAPABILITY = "lease_hours"
#: The code of the fact `started` of a command that the room has begun by itself.
ALONE = "alone"
#: Why a room refuses a start: it has gone on alone, and who asked did not know that yet.
WENT_ON = "went_on_alone"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The room of *printer* may start *job* alone, once.

    *left_s*: it ends so many seconds after it came, by the clock of the room and within one life of
    its host. *silence_s*: only once the link has been gone for so long. *clears_itself*: the
    printer needs nobody to clear its plate. *opens_s*: it may be started in these spans, (from, to)
    in seconds after it came; None: at any time.
    """

    grant: str
    command: str
    printer: int
    job: int
    file_name: str
    sha256: str
    size_bytes: int
    clears_itself: bool
    left_s: float
    silence_s: float
    opens_s: list[tuple[float, float]] | None = None


class Lent(msgspec.Struct, frozen=True, kw_only=True):
    """What a room is told: *leases* in their order, *recalled* grants with their printers."""

    leases: list[Lease] = []
    recalled: dict[str, int] = {}


NOTHING_LENT = Lent()
