"""The sliced file of an uploaded form, taken in as it comes (v1 2.5)."""

from api.errors import Invalid
from api.files.service import Blob, Files
from api.models_library.naming import printable_name
from api.principal import Principal
from api.uploads import MultipartReader

FORM_ROOM_BYTES = 1024 * 1024  # what the form may weigh beside the file


async def received_file(by: Principal, reader: MultipartReader, files: Files) -> tuple[Blob, str]:
    """The field `file` of the form and its name, when all of it has come. Raises `Invalid`."""
    found: tuple[Blob, str] | None = None
    async for part in reader:
        if part.name != "file":
            continue
        if found is not None:
            raise Invalid("Send one file at a time.")
        if not part.filename:
            raise Invalid("The field file has no file name.")
        filename = printable_name(part.filename)
        found = await files.ingest(by, part, filename, must_be_gcode=True), filename
    if found is None:
        raise Invalid("The form has no field named file.")
    return found
