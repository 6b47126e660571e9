"""What stands between this computer and its printers, and how to fix it: `bridge doctor`.

`checks` judges facts and is pure; `look` gathers them; `command` shows them.
"""
