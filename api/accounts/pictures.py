"""QR codes for cameras of phones: pictures that need no other request (v1 2.1)."""


def picture(text: str) -> str:
    """*text* as a QR code, a PNG in a data URI. Raises `ValueError` for what is too long."""
    import segno  # only who sets up a second factor needs it: a function starts without

    code = segno.make(text, error="m", micro=False)
    return str(code.png_data_uri(scale=5, border=4))
