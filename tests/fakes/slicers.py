"""What slicers' print hosts send: the headers, the order, the boundary and the form of each.

Versions: PrusaSlicer 2.9.2, SuperSlicer 2.5.59, OrcaSlicer 2.3.0 (all libcurl), Cura 5.9 with its
OctoPrint plug-in 3.7 and Simplify3D 5.1 (both Qt), curl 8.
"""

from dataclasses import dataclass, replace
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
CUBE = (DATA / "cube_small.gcode").read_bytes()
BGCODE = (DATA / "vase_head.bgcode").read_bytes()

Part = tuple[bytes, bytes]


def field(name: str, value: bytes, media: bytes = b"") -> Part:
    """A field of a form as libcurl (without a type) or Qt (with one) writes its head."""
    head = b'Content-Disposition: form-data; name="%b"' % name.encode()
    return head + (b"\r\nContent-Type: " + media if media else b""), value


def upload(name: str, content: bytes) -> Part:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return head.encode() + b"Content-Type: application/octet-stream", content


@dataclass(frozen=True)
class Slicer:
    """How one program asks: *lines* of its requests, and the *boundary* of its forms."""

    name: str
    lines: tuple[str, ...]
    boundary: str
    parts: tuple[Part, ...]
    filename: str
    is_boundary_quoted: bool = False
    expects_continue: bool = False


CURL_BOUNDARY = "------------------------8e7d0bd4b6a3f1c2"
QT_BOUNDARY = "boundary_.oOo._NDI4NzE5MzY0MTc2MjM5"
PRUSA_FORM = (field("print", b"false"), field("path", b"slicers"))

SLICERS = (
    Slicer(
        "PrusaSlicer",
        ("User-Agent: PrusaSlicer/2.9.2", "Accept: */*", "X-Api-Key: {key}"),
        CURL_BOUNDARY,
        (*PRUSA_FORM, upload("Shape-Box_0.2mm_PLA_MK3S_5m.gcode", CUBE)),
        "slicers/Shape-Box_0.2mm_PLA_MK3S_5m.gcode",
    ),
    Slicer(
        "PrusaSlicer, binary G-code",
        ("User-Agent: PrusaSlicer/2.9.2", "Accept: */*", "X-Api-Key: {key}"),
        CURL_BOUNDARY,
        (*PRUSA_FORM, upload("vase_0.2mm_PLA.bgcode", BGCODE)),
        "slicers/vase_0.2mm_PLA.gcode",
    ),
    Slicer(
        "SuperSlicer",
        ("User-Agent: SuperSlicer/2.5.59", "Accept: */*", "X-Api-Key: {key}"),
        CURL_BOUNDARY,
        (*PRUSA_FORM, upload("part één.gcode", CUBE)),
        "slicers/part één.gcode",
        expects_continue=True,
    ),
    Slicer(
        "OrcaSlicer",
        ("User-Agent: OrcaSlicer/2.3.0", "Accept: */*", "X-Api-Key: {key}"),
        CURL_BOUNDARY,
        (*PRUSA_FORM, upload("Cube_PLA_5m52s.gcode", CUBE)),
        "slicers/Cube_PLA_5m52s.gcode",
    ),
    Slicer(
        "Cura",
        (
            "X-Api-Key: {key}",
            "User-Agent: Cura/5.9.0 OctoPrintPlugin/3.7.3",
            "Connection: Keep-Alive",
            "Accept-Encoding: gzip, deflate",
            "Accept-Language: en,*",
        ),
        QT_BOUNDARY,
        (field("path", b"slicers", b"text/plain"), upload("CFFFP_cube.gcode", CUBE)),
        "slicers/CFFFP_cube.gcode",
        is_boundary_quoted=True,
    ),
    Slicer(
        "Simplify3D",
        (
            "X-Api-Key: {key}",
            "Connection: Keep-Alive",
            "Accept-Encoding: gzip, deflate",
            "Accept-Language: en-US,*",
            "User-Agent: Mozilla/5.0",
        ),
        QT_BOUNDARY,
        (upload("cube.gcode", CUBE), field("select", b"false"), field("print", b"false")),
        "cube.gcode",
        is_boundary_quoted=True,
    ),
    Slicer(
        "curl -F",
        ("User-Agent: curl/8.5.0", "Accept: */*", "X-Api-Key: {key}"),
        CURL_BOUNDARY,
        (upload("by curl.gcode", CUBE), field("print", b"false")),
        "by curl.gcode",
        expects_continue=True,
    ),
)


def form(slicer: Slicer) -> bytes:
    """The body of its upload."""
    mark = b"--" + slicer.boundary.encode()
    parts = (mark + b"\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for head, body in slicer.parts)
    return b"".join(parts) + mark + b"--\r\n"


def printing(slicer: Slicer) -> Slicer:
    """The same, whose user chose to print what is uploaded."""
    media = b"text/plain" if slicer.boundary == QT_BOUNDARY else b""
    others = [part for part in slicer.parts if b'name="print"' not in part[0]]
    return replace(slicer, parts=(field("print", b"true", media), *others))
