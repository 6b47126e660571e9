"""The parameters of a G-code command, read the way Marlin reads them.

Letters are upper case; a blank between letter and number is allowed, as is no blank between words;
of a repeated letter the last one counts.
"""

import re

from bridge.simulator.receiver import Command

_WORD = re.compile(rb"([A-Z]) *([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))?")


def pairs(command: Command) -> list[tuple[bytes, bytes]]:
    """Letters and numbers in order; the number is empty where a letter stands alone."""
    return _WORD.findall(command.rest)


def numbers(command: Command) -> dict[str, float]:
    """The letters that carry a number."""
    return {letter.decode(): float(value) for letter, value in pairs(command) if value}


def letters(command: Command) -> set[str]:
    """All letters, with a number or not."""
    return {letter.decode() for letter, _ in pairs(command)}


def text(command: Command) -> str:
    """The rest of the line as text, for commands that take a string."""
    return command.rest.strip().decode("latin-1")
