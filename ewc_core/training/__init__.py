"""Runs: what a job does, visit after visit or unit after unit, with a state that can be captured in between."""
