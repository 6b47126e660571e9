"""The freshest picture of a printer, folded from what its firmware says."""

from collections.abc import Mapping

from bridge.gcode.replies import (
    Action,
    Capability,
    FirmwareInfo,
    Position,
    Reply,
    Text,
)
from bridge.gcode.sdcard import Card, CardReply
from bridge.gcode.temperatures import Temperatures
from schemas.printer import Prompt, Temperature

#: More buttons than this are no question to a person.
MAX_BUTTONS = 16
#: Characters of what a button says.
MAX_LABEL = 80
#: A firmware tells of some thirty.
MAX_CAPABILITIES = 200


class Status:
    """What the firmware has said since it was greeted."""

    def __init__(self) -> None:
        self.temperatures: dict[str, Temperature] = {}
        #: two reports in a row told the same targets: they have no checksum either
        self.targets_sure = False
        self.heard_at: float | None = None
        self.fields: Mapping[str, str] = {}
        self.capabilities: dict[str, bool] = {}
        self.position: Position | None = None
        #: it has said so twice: an answer has no checksum, and a head would go where noise says
        self.position_sure = False
        self.card = Card()
        #: the question that is open, with `prompt_shown` once it is complete
        self.prompt: Prompt | None = None
        self.prompt_shown = False

    @property
    def z_mm(self) -> float | None:
        """The planner's target height as the firmware said it last."""
        return self.position.z_mm if self.position else None

    @property
    def firmware(self) -> str | None:
        """FIRMWARE_NAME of M115, None before it is known."""
        return self.fields.get("FIRMWARE_NAME") or self.fields.get("NAME")

    @property
    def emergency_parser(self) -> bool:
        """Whether M108, M112, M410 and M876 act the moment they are received."""
        return self.capabilities.get("EMERGENCY_PARSER", False)

    @property
    def heating(self) -> bool:
        """Whether any heater has a target."""
        return bool(self.targets_c())

    def targets_c(self) -> dict[str, float]:
        """The targets of the heaters that are on."""
        return {
            name: heater.target_c for name, heater in self.temperatures.items() if heater.target_c
        }

    def fold(self, reply: Reply, now: float) -> None:
        """Take in one reply; most say nothing about the picture."""
        match reply:
            case Temperatures():
                before = self.targets_c()
                self._heat(reply)
                self.targets_sure = self.targets_c() == before
                self.heard_at = now
            case FirmwareInfo(fields):
                self.fields = fields
            case Capability(name, enabled):
                if name in self.capabilities or len(self.capabilities) < MAX_CAPABILITIES:
                    self.capabilities[name] = enabled
            case Position():
                self.position_sure = reply == self.position
                self.position = reply
            case Action(word, text) if word.startswith("prompt_"):
                self._prompt(word, text)
            case Text(text) if self.card.listing:
                self.card.entry(text)
            case _ if isinstance(reply, CardReply):
                self.card.fold(reply)

    def forget_position(self) -> None:
        """What was said of it so far is of another place."""
        self.position, self.position_sure = None, False

    def answered(self, text: bytes) -> None:
        """A person has sent *text*: an answer closes the question, firmwares often do not."""
        if text.startswith(b"M876"):
            self.prompt, self.prompt_shown = None, False

    def _heat(self, report: Temperatures) -> None:
        for name, reading in report.readings.items():
            old = self.temperatures.get(name, Temperature(None))
            actual_c = old.actual_c if reading.actual_c is None else reading.actual_c
            target_c = old.target_c if reading.target_c is None else reading.target_c
            self.temperatures[name] = Temperature(actual_c, target_c)

    def _prompt(self, word: str, text: str) -> None:
        if word == "prompt_begin":
            self.prompt, self.prompt_shown = Prompt(text), False
        elif word == "prompt_end":
            self.prompt, self.prompt_shown = None, False
        elif self.prompt is not None and word == "prompt_show":
            self.prompt_shown = True
        elif self.prompt is not None and word in ("prompt_choice", "prompt_button"):
            label = text.split("|", 1)[0].strip()[:MAX_LABEL]
            self.prompt = Prompt(self.prompt.text, [*self.prompt.buttons, label][:MAX_BUTTONS])
