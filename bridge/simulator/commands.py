"""Which handler does which command: one table, filled by nouns."""

import re

from bridge.simulator import card, dialogue, moves, thermal
from bridge.simulator.machine import Handler
from bridge.simulator.receiver import Command

TABLE: dict[bytes, Handler] = {
    **moves.HANDLERS,
    **thermal.HANDLERS,
    **dialogue.HANDLERS,
    **card.HANDLERS,
}

ANSWERED_BY_THEMSELVES = frozenset({b"M105"})
"""Commands whose answer carries the `ok`."""

_CODE = re.compile(rb"([GMT]) *([0-9]+)(\.[0-9]+)?")


def find(command: Command) -> Handler | None:
    """The handler for *command*, None if Marlin does not know it (lower case, no code, …).

    Spellings such as `G01`, `G1X5` and `T1` are brought into the table's form in *command*.
    """
    handler = TABLE.get(command.head)
    if handler is not None:
        return handler
    match = _CODE.match(command.text)
    if match is None or match[3]:
        return None
    if match[1] == b"T":
        command.head, command.rest = match[1], match[2]
        return dialogue.select_tool
    command.head = b"%s%d" % (match[1], int(match[2]))
    command.rest = command.text[match.end() :]
    return TABLE.get(command.head)
