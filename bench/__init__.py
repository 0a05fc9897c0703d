"""The harness: paired measurement of checkpoint catalogs, output equality, verdicts, reports."""
