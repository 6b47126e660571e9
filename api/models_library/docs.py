"""What the library routes say of themselves in the specification."""

from api.describe import Doc, Query
from api.http import RowId
from api.models_library import answers, bodies
from api.models_library.answers import ModelAnswer, PrintFileAnswer

FORM = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}
_ALL = Query(
    name="include_scheduled", type=bool, description="Also files that jobs print or printed"
)
_CATEGORY = Query(name="category", description="Only models of this category")
_ORGANIZATION = Query(name="org_id", type=RowId, description="Superadmins: of this organization")

UPLOAD = Doc(
    summary="Upload a sliced file (.gcode) as the field `file` of a form",
    description="It goes to the model of the same name; without one, one is made.",
    answer=answers.UploadAnswer,
    right="files.write",
    form=FORM,
    problems=("bad_request", "not_gcode", "too_large", "storage_unavailable"),
)
LIST_FILES = Doc(
    summary="Print files, newest first; without include_scheduled those that no job prints",
    answer=list[PrintFileAnswer],
    right="files.read",
    paged=True,
    query=(_ALL,),
)
GET_FILE = Doc(summary="One print file", answer=PrintFileAnswer, right="files.read")
DELETE_FILE = Doc(
    summary="Take a print file out of the library",
    description="Refused while a job may still print it.",
    answer=answers.FileDeleted,
    right="files.write",
    problems=("file_in_use",),
)
THUMBNAIL = Doc(
    summary="The picture that the slicer put into the file",
    answer=bytes,
    right="files.read",
    media="image/png",
)
LIST_MODELS = Doc(
    summary="Models by name",
    answer=list[ModelAnswer],
    right="files.read",
    paged=True,
    query=(_CATEGORY, _ORGANIZATION),
)
GET_MODEL = Doc(summary="One model", answer=ModelAnswer, right="files.read")
CREATE_MODEL = Doc(
    summary="Make a model",
    answer=ModelAnswer,
    status=201,
    right="files.write",
    body=bodies.ModelBody,
    problems=("bad_request",),
)
UPDATE_MODEL = Doc(
    summary="Change a model",
    answer=ModelAnswer,
    right="files.write",
    body=bodies.ModelUpdateBody,
    problems=("bad_request",),
)
DELETE_MODEL = Doc(
    summary="Delete a model and its print files",
    description="Refused while a job may still print one of them.",
    status=204,
    right="files.write",
    problems=("file_in_use",),
)
VARIANTS = Doc(
    summary="The print files of a model, newest first",
    answer=answers.VariantsAnswer,
    right="files.read",
)
