"""`python -m bench`: the same as `ckpt-bench`."""

import sys

from bench.cli import main

sys.exit(main())
