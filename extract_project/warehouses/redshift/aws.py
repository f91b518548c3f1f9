"""What AWS's SDK has for signing in: a temporary password, and the authorities of certificates."""

from __future__ import annotations

from pathlib import Path

import boto3
import botocore
from botocore.exceptions import BotoCoreError, ClientError

from extract_project.errors import Cause, WarehouseError


def authorities() -> str:
    """The file of certificate authorities that the SDK trusts, Amazon's among them.

    libpq of the wheels looks for the machine's where no machine has them.
    """
    return str(Path(botocore.__file__).with_name("cacert.pem"))


def temporary_login(
    database: str, cluster: str | None, workgroup: str | None, region: str | None
) -> tuple[str, str]:
    """A database user for the task's own role, and its password, valid for fifteen minutes.

    Raises WarehouseError.
    """
    session = boto3.Session(region_name=region)
    try:
        if cluster is not None:
            found = session.client("redshift").get_cluster_credentials_with_iam(
                DbName=database, ClusterIdentifier=cluster
            )
            return str(found["DbUser"]), str(found["DbPassword"])
        given = session.client("redshift-serverless").get_credentials(
            dbName=database, workgroupName=workgroup or ""
        )
        return str(given["dbUser"]), str(given["dbPassword"])
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        action = (
            "redshift:GetClusterCredentialsWithIAM"
            if cluster is not None
            else "redshift-serverless:GetCredentials"
        )
        raise WarehouseError(
            f"redshift: no temporary password: {error}: check CLUSTER or WORKGROUP, and that the "
            f"task's role may {action}",
            cause=Cause.SIGN_IN,
            transient=code in ("Throttling", "ThrottlingException", "InternalServerException"),
        ) from None
    except BotoCoreError as error:
        raise WarehouseError(
            f"redshift: no temporary password: {error}", cause=Cause.NETWORK, transient=True
        ) from None
