"""One file per revision, each with table definitions of its own."""
