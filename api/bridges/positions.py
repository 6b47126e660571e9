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


#: A bridge that claims more than a JSON number holds is not believed.
_MAX_SEQ = 2**53


def command_position(seq: int, resume: Resume) -> int:
    """The last number of a command that counts as given, from the row's and the agent's journal.

    A journal that knows higher ones (the row came from a backup, or the room was another farm's)
    confirms all that is said up to its own highest, so new ones are numbered from there.
    """
    return max(seq, resume.command_seq if resume.command_seq <= _MAX_SEQ else 0)


def fact_position(journal: str, seq: int, resume: Resume) -> FactPosition:
    """The position to acknowledge, from what the API has and what the agent still holds."""
    oldest = resume.oldest_fact or resume.newest_fact + 1  # the next number, when none waits
    if resume.journal_id != journal:
        return FactPosition(resume.journal_id[:64], max(oldest - 1, 0))
    if oldest > seq + 1:  # the API was restored from a backup
        return FactPosition(journal, oldest - 1, lost=oldest - 1 - seq)
    return FactPosition(journal, seq)
