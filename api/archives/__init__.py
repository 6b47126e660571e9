"""What was printed, looked back on: records of prints, with notes and tags, to print again."""
