"""How files and models of the library are called. Pure."""

import re
import unicodedata

from api.errors import Invalid
from api.files.incoming import text_name
from api.files.names import clean_name, extension

PRINTABLE = (".gcode", ".gco", ".g")
_NOT_YET = {
    ".3mf": "a .3mf is a project; export plain G-code (.gcode) from the slicer",
}
_SEPARATORS = re.compile(r"[\s_\-]+")
MAX_NAME = 200


def model_name(name: str) -> str:
    """*name* as a model is called. Raises `Invalid` for a blank one."""
    stripped = name.strip()
    if not stripped:
        raise Invalid("A model needs a name.")
    return stripped


def printable_name(filename: str) -> str:
    """*filename*, clean, as text is called. Raises `Invalid` for a bad name, or a type that cannot
    be printed.
    """
    name = text_name(clean_name(filename))
    kind = extension(name)
    if kind not in PRINTABLE:
        why = _NOT_YET.get(kind, f"this takes {', '.join(PRINTABLE)}")
        raise Invalid(f"{name} cannot be printed: {why}.", code="not_gcode")
    return name


def stem(filename: str) -> str:
    """*filename* without its extension."""
    return filename.rpartition(".")[0] or filename


def name_key(name: str) -> str:
    """What makes two names the same model: case, accent forms and separators do not count."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _SEPARATORS.sub(" ", plain).strip()[: MAX_NAME - 10]
