"""Environments that agents play, in copies side by side, each of which can be left and taken up again bit for bit."""
