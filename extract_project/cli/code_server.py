"""`extract code-server`: serve the extracts to the webserver and the daemon."""

from __future__ import annotations

import click


@click.command("code-server")
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on")
@click.option("-p", "--port", type=int, default=4000, show_default=True, help="port to listen on")
@click.option(
    "-m",
    "--module",
    default="extract_project.definitions",
    show_default=True,
    help="the module with the definitions",
)
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def code_server(host: str, port: int, module: str, more: tuple[str, ...]) -> None:
    """Serve the extracts to webserver and daemon, with reloads that take a second or two less.

    It is `dagster code-server start`, which takes further options: write them behind `--`.

    \b
    extract code-server --host 0.0.0.0 --port 4000
    extract code-server --module acme.definitions -- --log-level warning
    """
    from extract_project.orchestration.code_server.serving import serve

    serve(["--host", host, "--port", str(port), "--module-name", module, *more])
