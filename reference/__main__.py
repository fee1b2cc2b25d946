"""`python -m reference` is the command `twingrad`."""

import sys

from reference.commands.cli import main

sys.exit(main())
