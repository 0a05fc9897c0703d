"""Sessions: tests, fuzz, lint, types, bench, gate. Each only says which command runs where."""

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

PACKAGES = ("catalog", "bench", "fixtures", "tests")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """The long searches for a stale, misread or lost answer: each fails where it finds one."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.property.test_remembered", "34000")  # edits for each of three clocks
    session.run("python", "-m", "tests.property.test_canonical_fuzz", "--documents", "100000")
    session.run("python", "-m", "tests.faults.test_index_concurrency", "1000")
    session.run("python", "-m", "tests.catalog.test_header", "--checkpoints", "5000")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and whether the formatter would change anything."""
    session.install("ruff>=0.11")
    session.run("ruff", "check", *PACKAGES, "noxfile.py")
    session.run("ruff", "format", "--check", *PACKAGES, "noxfile.py")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types over everything, tests included."""
    session.install("-e", ".[test]")
    session.run("mypy")


@nox.session
def bench(session: nox.Session) -> None:
    """The scenarios as pytest-benchmark benchmarks; after `-- catalog`, the catalog beside its floor."""
    session.install("-e", ".[bench]")
    if session.posargs[:1] == ["catalog"]:
        session.run("ckpt-bench", "limits", *session.posargs[1:])
    else:
        session.run("pytest", "bench", *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """The working tree against where it left main; the exit code is the verdict."""
    session.install("-e", ".[bench]")
    session.run("ckpt-bench", "gate", *session.posargs)
