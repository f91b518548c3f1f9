"""SQL files in S3 become Dagster assets; their results become versions of S3 objects.

Data flows one way, and the packages are named after its stations:

    manifest/       what to extract: SQL file -> header, guard, parameters -> Extract -> Snapshot
    warehouses/     from where: Query -> one declared schema and a stream of batches
    publish/        to where: batches -> audit + encode -> staged upload -> published version
    orchestration/  how, in Dagster: assets, IO manager, executor, failures
    alerts/         what is sent to people when extracts fail, and the channels that carry it
    cli/            the `extract` command
    doctor/         whether an installation can work, and what to do where it cannot
    embedded/       an S3 server, a warehouse and a Dagster on this machine, for the demo and tests

Only `definitions.py` and `orchestration/` import Dagster; only `settings.py` reads the environment.
"""
