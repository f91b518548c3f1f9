"""SQL files in S3 become Dagster assets; their results become versions of S3 objects.

The packages are named after the stations of one extract; each imports only from those above it:

    store/          objects and their versions
    schema/         a file's columns: types, spelling, values as text
    formats/        how rows become a file
    sql/            one read-only statement
    checks/         one rule, and what watches rows for it
    manifest/       SQL files -> Extract -> Snapshot
    warehouses/     where rows come from
    history/        versions as readers see them
    publish/        staged -> version
    pipeline/       query -> audited, staged result
    alerts/         what people are told, and through which channel
    deployment/     the client of a running Dagster
    orchestration/  how, in Dagster
    doctor/         whether an installation can work
    embedded/       S3, a warehouse and Dagster on this machine
    cli/            the `extract` command

Only `definitions.py` and `orchestration/` import Dagster; only `settings.py` reads the environment.
"""
