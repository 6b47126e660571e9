"""The G-code scripts that a printer's configuration may have, and whether they can be used."""

from collections.abc import Mapping

from schemas.gcode import template
from schemas.gcode.gate import judge
from schemas.gcode.policy import Origin
from schemas.gcode.template import TemplateError
from schemas.printer import Profile

#: When each runs: behind the greeting; around a print; at its pause and resume; instead of the rest
#: of a cancelled and of a failed one (`on_cancel` where there is no `on_error`).
SCRIPTS = (
    "on_connect",
    "before_print",
    "after_print",
    "on_pause",
    "on_resume",
    "on_cancel",
    "on_error",
)


class ScriptError(ValueError):
    """Line *line* (from 1) of the script *name* cannot be used; the text says why."""

    def __init__(self, name: str, line: int, why: str) -> None:
        super().__init__(f"script {name}, line {line}: {why}")
        self.name = name
        self.line = line


def check(scripts: Mapping[str, str], profile: Profile) -> None:
    """Raise `ScriptError` for a name, a placeholder or a command that may not be there."""
    for name, text in scripts.items():
        if name not in SCRIPTS:
            raise ScriptError(name, 1, f"no such script; there are {', '.join(SCRIPTS)}")
        for number, line in enumerate(text.splitlines(), 1):
            try:
                sample = template.sample(line)
            except TemplateError as error:
                raise ScriptError(name, number, str(error)) from None
            finding = judge(sample.encode(), number, profile, Origin.TERMINAL)
            if finding is not None:
                raise ScriptError(name, number, str(finding).partition(": ")[2])
