"""Servers that a test session starts for itself, on free ports, and stops again."""
