"""A command line whose positional arguments may stand on both sides of an option."""

from __future__ import annotations

import argparse


class MixedParser(argparse.ArgumentParser):
    """A parser of one command whose positional arguments may stand on both sides of an option."""

    _is_mixing = False

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # as inherited
        """Parse a command's arguments; `parse_known_intermixed_args` comes back here for its own two steps.

        What is left over is refused here, as the usage of one command tells what there is.
        """
        if self._is_mixing:
            return super().parse_known_args(args, namespace)
        self._is_mixing = True
        try:
            found, left = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False
        if left:
            self.error(
                f"unrecognized arguments: {' '.join(left)}; `{self.prog} --help` explains those there are"
            )
        return found, left
