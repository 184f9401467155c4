"""``python -m nofcore``: see `nofcore.cli`."""

import sys

from nofcore.cli import main

if __name__ == "__main__":
    sys.exit(main())
