"""Dagster's Postgres, and the two secrets."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secrets
from aws_cdk import aws_servicediscovery as discovery

from deploy.stack.groups import DATABASE_PORT
from deploy.stack.network import DOMAIN, NAME_SECONDS
from deploy.stack.parameters import (
    DB_CLASS,
    FURTHER,
    NO_VALUE,
    SECRET,
    SERVICES,
    SMALL,
    SNAPSHOT,
    STANDBY,
    att,
    either,
    excused,
    kept,
    only_if,
    ref,
)

DATABASE, USER = "dagster", "dagster"
_HOST = "database"
DATABASE_HOST = f"{_HOST}.{DOMAIN}"
"""Its name for further locations."""
_STORAGE_GIB, _MOST_STORAGE_GIB, _BACKUP_DAYS = 20, 200, 14


def define_database(stack: cdk.Stack) -> None:
    """A private instance that survives the stack, and can begin as a snapshot."""
    password = secrets.CfnSecret(
        stack,
        "DatabaseSecret",
        description="Password of Dagster's database",
        kms_key_id=att("Key", "Arn"),
        generate_secret_string=secrets.CfnSecret.GenerateSecretStringProperty(
            secret_string_template=f'{{"username":"{USER}"}}',
            generate_string_key="password",
            password_length=40,
            exclude_punctuation=True,
        ),
    )
    kept(password)
    only_if(password, SERVICES)
    define_warehouse_secret(stack)
    subnets = rds.CfnDBSubnetGroup(
        stack,
        "DatabaseSubnets",
        db_subnet_group_description="Private",
        subnet_ids=[ref("SubnetA"), ref("SubnetB")],
    )
    parameters = rds.CfnDBParameterGroup(
        stack,
        "DatabaseParameters",
        family="postgres18",
        description="TLS only; slow statements are logged",
        parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000"},
    )
    secret = f"{{{{resolve:secretsmanager:{ref('DatabaseSecret')}:SecretString:password}}}}"
    database = rds.CfnDBInstance(
        stack,
        "Database",
        engine="postgres",
        engine_version="18",
        db_instance_class=either(
            DB_CLASS, ref("DbClass"), either(SMALL, "db.t4g.micro", "db.t4g.small")
        ).to_string(),
        # A snapshot brings its own, as it does its encryption.
        db_name=either(SNAPSHOT, NO_VALUE, DATABASE).to_string(),
        master_username=either(SNAPSHOT, NO_VALUE, USER).to_string(),
        master_user_password=secret,
        db_snapshot_identifier=either(SNAPSHOT, ref("DbSnapshot")).to_string(),
        allocated_storage=str(_STORAGE_GIB),
        max_allocated_storage=_MOST_STORAGE_GIB,
        storage_type="gp3",
        storage_encrypted=either(SNAPSHOT, NO_VALUE, True),
        kms_key_id=either(SNAPSHOT, NO_VALUE, att("Key", "Arn")).to_string(),
        multi_az=either(STANDBY, True, False),
        publicly_accessible=False,
        port=str(DATABASE_PORT),
        vpc_security_groups=[att("DatabaseGroup", "GroupId")],
        db_subnet_group_name=ref("DatabaseSubnets"),
        db_parameter_group_name=ref("DatabaseParameters"),
        backup_retention_period=_BACKUP_DAYS,
        copy_tags_to_snapshot=True,
        deletion_protection=True,
        auto_minor_version_upgrade=True,
        enable_cloudwatch_logs_exports=["postgresql"],
    )
    excused(
        database,
        {
            "CKV_AWS_16": "encrypted; a restored one is as its snapshot, which is encrypted",
            "CKV_AWS_118": "alarms on CPU and storage need no agent at one-second grain",
            "CKV_AWS_157": "a parameter, true by default; the small footprint has one zone",
            "CKV_AWS_161": "Dagster signs in with a password only",
        },
    )
    # The network of a database that is kept cannot be deleted: deleting the stack would fail.
    for each in (database, subnets, parameters):
        kept(each)
        only_if(each, SERVICES)
    _database_name(stack)


def define_warehouse_secret(stack: cdk.Stack) -> None:
    """One secret with what signs in to the warehouses of a code location."""
    warehouse = secrets.CfnSecret(
        stack,
        "WarehouseSecret",
        description="JSON: snowflake_private_key (PEM), postgres_password, warehouses (JSON in a "
        "text); filled in by hand",
        kms_key_id=att("Key", "Arn"),
    )
    kept(warehouse)
    only_if(warehouse, SECRET)


def _database_name(stack: cdk.Stack) -> None:
    service = discovery.CfnService
    name = service(
        stack,
        "DatabaseName",
        name=_HOST,
        namespace_id=ref("Names"),
        dns_config=service.DnsConfigProperty(
            dns_records=[service.DnsRecordProperty(type="CNAME", ttl=NAME_SECONDS)],
            # A CNAME takes no other policy.
            routing_policy="WEIGHTED",
        ),
    )
    address = discovery.CfnInstance(
        stack,
        "DatabaseAddress",
        service_id=ref("DatabaseName"),
        instance_attributes={"AWS_INSTANCE_CNAME": att("Database", "Endpoint.Address")},
    )
    for each in (name, address):
        only_if(each, FURTHER)
