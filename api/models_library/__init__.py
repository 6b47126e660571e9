"""Models and print files of the v1 dialect."""
