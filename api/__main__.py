"""``python -m api``: the commands of the server's shell (`api.cli`)."""

import sys

from api.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
