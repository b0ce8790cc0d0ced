"""`openapi.json`, written from the app: `python -m api.openapi`. A test compares the two.

It lies in the client, from which `ewc spec` explains the fields of specs without a service.
"""

from __future__ import annotations

import json
from pathlib import Path

from fastapi import FastAPI

from api.app import create_app
from api.openapi_document import document
from api.settings import ApiSettings

FILE = Path(__file__).resolve().parents[1] / "ewc_client" / "openapi.json"


def text(app: FastAPI) -> str:
    """The document as it is committed."""
    return json.dumps(document(app), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the document."""
    FILE.write_text(text(create_app(ApiSettings())), encoding="utf-8")


if __name__ == "__main__":
    main()
