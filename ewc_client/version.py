"""The version of client and service, which both projects read from here."""

VERSION = "0.2.0"
