"""A result as text, for a terminal or as Markdown. Nothing is computed here, and nothing written."""
