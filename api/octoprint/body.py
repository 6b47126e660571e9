"""Bodies of requests on the OctoPrint face: JSON objects and plain forms (contract, section 1)."""

from typing import Any

import orjson
from quart import request

from api.errors import Invalid
from api.http import as_utf8, truthy
from api.uploads import multipart

FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
MAX_FORM_BYTES = 1024 * 1024

Body = dict[str, Any]


async def form_fields() -> dict[str, str]:
    """The plain fields of a form body, urlencoded or multipart; {} for any other body.

    Raises `Invalid`: malformed, too large, or with a file in it.
    """
    if request.mimetype == FORM_TYPE:
        return dict((await request.form).items())
    if request.mimetype != MULTIPART_TYPE:
        return {}
    found: dict[str, str] = {}
    async for part in await multipart(request, MAX_FORM_BYTES):
        if part.filename is not None:
            raise Invalid("This takes no file.")
        found.setdefault(part.name, await part.read_text())
    return found


async def json_object() -> dict[str, Any]:
    """The request's JSON object. Raises `Invalid`: 415 for another type, 400 for broken JSON."""
    if not is_json(request.mimetype):
        raise Invalid(
            "This takes a JSON body: Content-Type: application/json.",
            code="unsupported_media_type",
        )
    try:
        body = orjson.loads(as_utf8(await request.get_data()))
    except orjson.JSONDecodeError:
        raise Invalid("Malformed JSON body in request") from None
    if not isinstance(body, dict):
        raise Invalid("The JSON body must be an object.")
    return body


def is_json(mimetype: str) -> bool:
    """Whether a body of this type is JSON, also under a name of its own."""
    main, _, kind = mimetype.partition("/")
    return main == "application" and (kind == "json" or kind.endswith("+json"))


async def json_or_form() -> Body:
    """The fields of a JSON object or of a form: login, timelapse and system take both, and those
    of the query where the body has none.
    """
    if is_json(request.mimetype) and await request.get_data():
        found = await json_object()
    else:
        found = dict(await form_fields())
    return found or dict(request.args.items())


def is_true(value: Any) -> bool:
    """Whether *value*, of a form or of JSON, says yes."""
    return value is True or (isinstance(value, str) and truthy(value))
