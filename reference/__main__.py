"""`python -m reference` is the command `twingrad`."""

import sys

from reference.cli import main

sys.exit(main())
