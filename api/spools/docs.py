"""What the spool routes say of themselves in the specification."""

from api.describe import Doc, Query
from api.http import RowId
from api.spools import answers, bodies
from api.spools.forms import SpoolStatus

_PLACE = ("spool_not_found", "printer_not_found", "not_found", "conflict")
_BRAND = Query(name="brand", description="Only this brand, in any case")
_MATERIAL = Query(name="material", description="Only this material, in any case")

FILAMENTS = Doc(
    summary="The filament library, by brand and name",
    answer=list[answers.FilamentAnswer],
    right="spools.read",
    paged=True,
    query=(_BRAND, _MATERIAL),
)
FILAMENT = Doc(
    summary="One kind of filament",
    answer=answers.FilamentAnswer,
    right="spools.read",
    problems=("filament_not_found",),
)
CREATE_FILAMENT = Doc(
    summary="Add a kind of filament to the library",
    answer=answers.FilamentMade,
    right="spools.write",
    body=bodies.FilamentCreateBody,
)
UPDATE_FILAMENT = Doc(
    summary="Change a kind of filament",
    answer=answers.FilamentAnswer,
    right="spools.write",
    body=bodies.FilamentUpdateBody,
    problems=("filament_not_found",),
)
DELETE_FILAMENT = Doc(
    summary="Delete a kind of filament that no spool is of",
    status=204,
    right="spools.write",
    problems=("filament_not_found", "filament_in_use"),
)
LIST = Doc(
    summary="Spools, oldest first",
    description="Without `status` archived ones are left out.",
    answer=list[answers.SpoolAnswer],
    right="spools.read",
    paged=True,
    query=(
        Query(name="status", type=SpoolStatus, description="Only spools in this state"),
        Query(name="filament_id", type=RowId, description="Only of this filament"),
        Query(name="printer_id", type=RowId, description="Only in this printer"),
        Query(name="filament_type", description="Only of this material, in any case"),
        Query(name="available_only", type=bool, description="Only in no printer and not empty"),
        Query(name="org_id", type=RowId, description="Superadmins: of this organization"),
    ),
)
LOW = Doc(
    summary="Spools with less than their threshold left",
    answer=list[answers.SpoolAnswer],
    right="spools.read",
    paged=True,
)
GET = Doc(summary="One spool and its last uses", answer=answers.SpoolDetail, right="spools.read")
LOOKUP = Doc(
    summary="The spool with this label",
    answer=answers.SpoolDetail,
    right="spools.read",
    problems=("spool_not_found",),
)
CREATE = Doc(
    summary="Add a full spool",
    answer=answers.SpoolMade,
    right="spools.write",
    body=bodies.SpoolCreateBody,
    problems=("filament_not_found",),
)
UPDATE = Doc(
    summary="Change a spool",
    answer=answers.SpoolChanged,
    right="spools.write",
    body=bodies.SpoolUpdateBody,
)
DELETE = Doc(
    summary="Archive a spool",
    description="What was taken from it stays.",
    answer=answers.SpoolArchived,
    right="spools.write",
)
LOAD = Doc(
    summary="Hang a spool into a slot of a printer",
    answer=answers.SpoolLoaded,
    right="spools.use",
    body=bodies.SpoolLoadBody,
    problems=_PLACE,
    dry_run=True,
)
UNLOAD = Doc(
    summary="Take a spool out of its printer",
    answer=answers.SpoolUnloaded,
    right="spools.use",
    query=(Query(name="storage_location", description="Where it is kept now"),),
    dry_run=True,
)
USE = Doc(
    summary="Take filament from a spool, down to nothing",
    description="One of `grams` and `weight_used_g`, more than 0 and at most 10 000.",
    answer=answers.SpoolUsed,
    right="spools.use",
    body=bodies.SpoolUseBody,
    problems=("job_not_found",),
    dry_run=True,
)
WEIGH = Doc(
    summary="Set what is left by the scales",
    description="10 g or less of filament is an empty spool.",
    answer=answers.SpoolWeighed,
    right="spools.write",
    body=bodies.SpoolWeighBody,
)
SCAN = Doc(
    summary="Hang the spool with this label into a slot of a printer",
    answer=answers.ScanAssigned,
    right="spools.use",
    body=bodies.ScanAssignBody,
    problems=_PLACE,
    dry_run=True,
)
ASSIGN = Doc(
    summary="Hang a spool into a slot of a printer; the one that was there is taken out",
    answer=answers.SlotAssigned,
    right="spools.use",
    body=bodies.AssignSpoolBody,
    problems=_PLACE,
    dry_run=True,
)
