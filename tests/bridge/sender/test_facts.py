"""What a sender tells of its printer, in facts of bounded size."""

import msgspec

from bridge.gcode.happenings import CardListed
from bridge.sender.facts import MAX_CARD_BYTES, card_seen
from schemas.printer import CardFile


def test_a_card_with_damaged_names_is_a_fact_that_fits_a_frame() -> None:
    """A damaged directory is all control characters, which take six bytes each on the link."""
    files = tuple(CardFile("\x01\x02" * 6 + str(number), 5) for number in range(1000))
    seen = card_seen(CardListed(True, files, 3))
    assert len(msgspec.json.encode(seen.files)) <= MAX_CARD_BYTES + 2
    assert 0 < len(seen.files) == 1003 - seen.unlisted
