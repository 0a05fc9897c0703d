"""`python -m catalog` is `ckpt-catalog`."""

from catalog.cli import run

run()
