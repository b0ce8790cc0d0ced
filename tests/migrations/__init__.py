"""The schema's history, on SQLite and on PostgreSQL."""
