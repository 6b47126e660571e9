"""The freshest picture of a printer, folded from what its firmware says."""

from collections.abc import Mapping

from bridge.gcode.replies import Capability, FirmwareInfo, Position, Reply
from bridge.gcode.temperatures import Temperatures
from schemas.printer import Temperature


class Status:
    """What the firmware has said since it was greeted."""

    def __init__(self) -> None:
        self.temperatures: dict[str, Temperature] = {}
        self.heard_at: float | None = None
        self.fields: Mapping[str, str] = {}
        self.capabilities: dict[str, bool] = {}
        self.z_mm: float | None = None

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
        return any((heater.target_c or 0.0) > 0.0 for heater in self.temperatures.values())

    def fold(self, reply: Reply, now: float) -> None:
        """Take in one reply; most say nothing about the picture."""
        match reply:
            case Temperatures(readings):
                for name, reading in readings.items():
                    old = self.temperatures.get(name)
                    target_c = reading.target_c
                    if target_c is None and old is not None:
                        target_c = old.target_c
                    actual_c = reading.actual_c
                    if actual_c is None and old is not None:
                        actual_c = old.actual_c
                    self.temperatures[name] = Temperature(actual_c, target_c)
                self.heard_at = now
            case FirmwareInfo(fields):
                self.fields = fields
            case Capability(name, enabled):
                self.capabilities[name] = enabled
            case Position(z_mm=z_mm):
                self.z_mm = z_mm
            case _:
                pass
