"""`python -m catalog` is `ckpt-catalog`."""

import sys

from catalog.cli import main

sys.exit(main())
