"""The worker loads the client only when it is asked something; its answers are tested through `wandb_runs`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog.wandb_process import WorkerProcess
from catalog.wandb_worker import MAX_MEMORY_BYTES


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


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells the limits of another process"
)
def test_a_worker_may_hold_no_more_memory_than_any_honest_answer_takes() -> None:
    import resource

    worker = WorkerProcess(os.environ)
    try:
        given_up_s = time.monotonic() + 30
        while resource.prlimit(worker.process_id, resource.RLIMIT_DATA)[0] != MAX_MEMORY_BYTES:
            assert time.monotonic() < given_up_s
            time.sleep(0.02)
    finally:
        worker.close()
