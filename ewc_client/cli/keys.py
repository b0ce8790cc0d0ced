"""Commands for API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from ewc_client.cli.connection import KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, print_table, say
from ewc_client.terminal import print_json, print_lines

OwnerOption = Annotated[
    str | None,
    typer.Option(help="whose keys; another than your own needs a key with the scope operator", show_default=False),
]
app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="what the key is for")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="may be given several times [jobs:read, jobs:write]")
    ] = None,
    owner: OwnerOption = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make an API key, which can do no more than the key that makes it. Its secret is shown this once."""
    with connect(url, api_key) as client:
        made = client.create_api_key(name, scopes=scopes, owner=owner)
    if output is Output.JSON:
        print_json(made.raw)
        return
    say(f"key {made.id} ({made.name}) of {made.owner} with {', '.join(made.scopes)}. Keep it: it is not shown again.")
    print_lines(str(made.key))


@app.command("ls")
def list_keys(
    owner: OwnerOption = None, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE
) -> None:
    """List API keys, without their secrets; with the scope operator those of all owners."""
    with connect(url, api_key) as client:
        found = client.api_keys(owner=owner)
    if output is Output.JSON:
        print_json([key.raw for key in found])
        return
    rows = [(key.id, key.owner, key.name, key.prefix, " ".join(key.scopes), "revoked" if key.revoked_at else "") for key in found]
    print_table(("id", "owner", "name", "prefix", "scopes", ""), rows, empty="No API keys.")


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="key id")],
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Revoke an API key; the service refuses it from then on."""
    with connect(url, api_key) as client:
        client.revoke_api_key(key)
    if output is Output.JSON:
        print_json({"id": key, "revoked": True})
    else:
        say(f"key {key} revoked")
