"""A list of a card's files as a fact that fits a batch of facts."""

from bridge.control.messages import CardSeen
from bridge.gcode.happenings import CardListed

#: Of the names; and what one file takes beside them.
MAX_CARD_BYTES = 16 * 1024
_CARD_FILE_BYTES = 24


def card_seen(listed: CardListed) -> CardSeen:
    """*listed* as a fact of bounded size: names beyond that are counted."""
    files, room = [], MAX_CARD_BYTES
    for file in listed.files:
        room -= len(file.name.encode()) + len((file.long_name or "").encode()) + _CARD_FILE_BYTES
        if room < 0:
            break
        files.append(file)
    unlisted = listed.unlisted + len(listed.files) - len(files)
    return CardSeen(present=listed.present, files=files, unlisted=unlisted)
