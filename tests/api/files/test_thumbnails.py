"""Pictures out of G-code files."""

import base64

from api.files.thumbnails import largest

PNG = b"\x89PNG\r\n\x1a\n" + b"small" * 30
JPG = b"\xff\xd8\xff" + b"large" * 60


def block(data: bytes, size: str, kind: str = "thumbnail") -> bytes:
    text = base64.b64encode(data).decode()
    lines = "\n".join(f"; {text[i : i + 78]}" for i in range(0, len(text), 78))
    return f"; {kind} begin {size} {len(text)}\n{lines}\n; {kind} end\n;\n".encode()


def test_the_largest_picture_is_taken() -> None:
    """Slicers write several; line ends of Windows do not matter."""
    head = block(PNG, "16x16") + block(JPG, "220x124", "thumbnail_JPG") + b"G28\n"
    for text in (head, head.replace(b"\n", b"\r\n")):
        found = largest(text)
        assert found is not None
        assert (found.data, found.media, found.width) == (JPG, "image/jpeg", 220)


def test_what_is_no_picture_is_not_handed_out() -> None:
    """S35: only pictures are found, whatever the comment says; a cut one is none."""
    svg = block(b"<svg onload=alert(1)>", "500x500")
    assert largest(svg) is None
    assert largest(block(PNG, "16x16")[:-40]) is None
    assert largest(b"; thumbnail begin 9x9 4\n; !!!!\n; thumbnail end\n") is None
    found = largest(svg + block(PNG, "16x16"))
    assert found is not None
    assert found.media == "image/png"


def test_a_picture_for_a_screen_counts_where_there_is_no_other() -> None:
    """QOI is not shown by browsers, so a smaller PNG goes before it."""
    qoi = block(b"qoif" + bytes(40), "640x480", "thumbnail_QOI")
    only, both = largest(qoi), largest(qoi + block(PNG, "16x16"))
    assert only is not None and both is not None
    assert (only.media, both.media) == ("image/qoi", "image/png")
