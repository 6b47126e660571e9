"""Projects: prints that belong together, written out as one file and taken in again."""
