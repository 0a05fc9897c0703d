"""The worker loads the client only when it is asked something; its answers are tested through `wandb_runs`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_importing_the_worker_loads_no_client() -> None:
    code = "import sys, catalog.wandb_worker; print('wandb' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "False"
