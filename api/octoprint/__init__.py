"""The OctoPrint dialect: a face over the rooms' services."""
