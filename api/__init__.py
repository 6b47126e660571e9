"""The API: one Quart app that holds the farm and speaks v1, OctoPrint and the room link."""

VERSION = "0.1.0"
