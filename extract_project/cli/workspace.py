"""`extract workspace`: what webserver and daemon load, where there are several code locations."""

from __future__ import annotations

import click

_PORT = 4000


@click.command()
@click.argument("locations")
@click.option("--domain", help="for a location without a host: it is NAME.DOMAIN")
@click.option("-p", "--port", type=int, default=_PORT, show_default=True, help="port of each")
def workspace(locations: str, domain: str | None, port: int) -> None:
    """Print a workspace.yaml with a code server for each of LOCATIONS.

    They are separated by commas, each NAME=HOST, or NAME if there is a --domain.

    \b
    extract workspace sales=sales-code,crm=crm-code > workspace.yaml
    extract workspace --domain extract.internal sales,crm > workspace.yaml
    """
    import yaml

    named = [each.strip() for each in locations.split(",") if each.strip()]
    servers = [_server(each, domain, port) for each in named]
    names = [each["location_name"] for each in servers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise click.UsageError(f"{twice[0]!r} is there twice: expected each location once")
    loads = [{"grpc_server": each} for each in servers]
    click.echo(yaml.safe_dump({"load_from": loads}, sort_keys=False), nl=False)


def _server(location: str, domain: str | None, port: int) -> dict[str, str | int]:
    name, separator, host = location.partition("=")
    if not separator and domain:
        host = f"{name}.{domain}"
    if not name or not host:
        raise click.UsageError(f"{location!r} has no host: expected NAME=HOST, or a --domain")
    return {"host": host, "port": port, "location_name": name}
