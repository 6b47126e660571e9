"""What every reader of files says of one that cannot be read."""


class BrokenFile(ValueError):
    """The bytes are not what they should be; the text says why."""
