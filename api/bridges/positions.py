"""Where a bridge's facts go on after a hello: pure.

The agent's outbox numbers its facts without gaps per journal id. The API remembers the last one it
has. The two disagree when a side was replaced or restored from a backup; then the line must go on
from what exists, and what is lost is said, never guessed. An agent whose journal was rolled back
sees from our position that we know more than it does, and takes a new journal id.
"""

from dataclasses import dataclass

from schemas.link import Resume


@dataclass(frozen=True, slots=True)
class FactPosition:
    """The journal and the last fact of it that counts as recorded; *lost* were never seen."""

    journal: str
    seq: int
    lost: int = 0


def fact_position(journal: str, seq: int, resume: Resume) -> FactPosition:
    """The position to acknowledge, from what the API has and what the agent still holds."""
    oldest = resume.oldest_fact or resume.newest_fact + 1  # the next number, when none waits
    if resume.journal_id != journal:
        return FactPosition(resume.journal_id[:64], max(oldest - 1, 0))
    if oldest > seq + 1:  # the API was restored from a backup
        return FactPosition(journal, oldest - 1, lost=oldest - 1 - seq)
    return FactPosition(journal, seq)
