"""The scenarios as pytest-benchmark benchmarks: `pytest bench --benchmark-json=x.json`."""
