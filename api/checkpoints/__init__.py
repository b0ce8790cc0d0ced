"""Checkpoints: what is stored for every consolidated task, readable byte by byte."""
