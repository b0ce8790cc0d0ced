"""The schema's history. `HEAD` is the revision that this version of the service works with."""

HEAD = "0005"
