"""A file on its way to the printer's own card: checked whole, then fed to the core.

It is prepared twice: once to the end before anything is sent, so that a line which may not go is
known with its number while the card is still untouched, and once more, batch by batch, while it
goes.
"""

from bridge.errors import GateRefusal, JobFileError
from bridge.gcode.cardlines import CardPreparer
from bridge.gcode.cardwrite import CardJob
from bridge.gcode.printer import Printer
from bridge.sender.jobfile import JobFile
from schemas.printer import Profile


class CardFile(JobFile):
    """A `JobFile` whose lines are for a card."""

    def __init__(self, path: str, sha256: str | None, profile: Profile) -> None:
        """See `JobFile`."""
        super().__init__(path, sha256, profile)
        self._preparer = CardPreparer(profile)
        self._trial = CardPreparer(profile)

    def look_at(self, chunk: bytes, *, last: bool) -> None:
        """See `JobFile`; also every line as it would go."""
        super().look_at(chunk, last=last)
        self._trial.feed(chunk, last=last)


class CardFeed:
    """Brings the file of a transfer to the core; errors become the transfer's end."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._file: CardFile | None = None

    @property
    def busy(self) -> bool:
        """Whether the file is still being checked: come back at once."""
        return self._file is not None and not self._file.checked

    def start(self, job: CardJob, file: CardFile) -> None:
        """Bind *file*. Raises `LocalProtocolError` when the printer cannot take it."""
        self._printer.card_write.start(job)
        self._file = file

    def pump(self, now: float) -> None:
        """Check the next piece, or prepare lines ahead of need."""
        file, printer = self._file, self._printer
        if file is None:
            return
        if printer.card_write.job is None:
            file.close()
            self._file = None
        elif not printer.news:  # that it goes is written down before its first byte leaves
            try:
                self._go_on(file, now)
            except (GateRefusal, JobFileError) as error:
                printer.card_write.fail(str(error), now)

    def _go_on(self, file: CardFile, now: float) -> None:
        write = self._printer.card_write
        if not file.checked:
            if file.check():
                write.begin(now)
            return
        while write.wants_lines:
            batch = file.next_lines()
            if batch is None:
                write.source_over()
                return
            for prepared in batch:
                write.feed(prepared)
