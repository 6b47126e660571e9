"""Every error of the bridge. Who is to blame is the type; facts are attributes.

* `BridgeError`
    * `PortError`: a serial port is missing, busy, forbidden, lost or no serial port
    * `ProtocolError`: cannot be raised itself
        * `LocalProtocolError`: we asked for something that is not allowed now; our bug or a race
        * `PrinterProtocolError`: the firmware does not answer as any firmware should
    * `JobFileError`: a job's file is missing, changed, or not what was promised
    * `GateRefusal`: a line may not reach the printer
    * `ControlError`: agent and sender cannot talk
    * `LockHeld`: another process of this kind runs already
"""

from enum import StrEnum


class BridgeError(Exception):
    """Root of everything the bridge raises on purpose. The text is for a person."""


class PortProblem(StrEnum):
    """Why a port cannot be used."""

    MISSING = "missing"
    BUSY = "busy"
    FORBIDDEN = "forbidden"
    NOT_A_PORT = "not_a_port"
    LOST = "lost"
    BAUD = "baud"


class PortError(BridgeError):
    """The port *device* cannot be used; *problem* says why."""

    def __init__(self, device: str, problem: PortProblem, text: str) -> None:
        super().__init__(text)
        self.device = device
        self.problem = problem


class ProtocolError(BridgeError):
    """Something that does not fit the protocol. Raised only as one of its children."""


class LocalProtocolError(ProtocolError):
    """We asked for something that is not possible in the present state; nothing has happened."""


class PrinterProtocolError(ProtocolError):
    """The printer broke the protocol. *code* is a stable word."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class JobFileError(BridgeError):
    """The file at *path* cannot be printed."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(text)
        self.path = path


class GateRefusal(BridgeError):
    """Line *line* (from 1) may not reach the printer; the text says why, *code* in one word."""

    def __init__(self, line: int, text: str, code: str = "not_allowed") -> None:
        super().__init__(text)
        self.line = line
        self.code = code


class ControlError(BridgeError):
    """The control socket between agent and sender broke, or its peer broke the protocol."""


class LockHeld(BridgeError):
    """The lock file *path* is held by process *pid* (None: it did not say)."""

    def __init__(self, path: str, pid: int | None) -> None:
        super().__init__(f"{path} is held by process {pid if pid is not None else '?'}")
        self.path = path
        self.pid = pid
