"""AWS credentials for Google's workload identity federation.

Google's library looks for them in the environment and at the metadata service of EC2, which a
container of ECS does not have. boto3 finds them wherever AWS puts them, and renews them.
"""

from __future__ import annotations

from typing import Any

import boto3
from google.auth.aws import AwsSecurityCredentials, AwsSecurityCredentialsSupplier
from google.auth.exceptions import RefreshError

_ANY_REGION = "us-east-1"
"""The region whose AWS token service tells Google who the caller is; any region can."""


class TaskCredentials(AwsSecurityCredentialsSupplier):
    """AWS credentials: those of the task's role, or whichever boto3 finds."""

    def __init__(self) -> None:
        self._session = boto3.Session()

    def get_aws_security_credentials(self, context: Any, request: Any) -> AwsSecurityCredentials:
        found = self._session.get_credentials()
        if found is None:
            raise RefreshError("boto3 finds no AWS credentials: give the task a role")
        now = found.get_frozen_credentials()
        return AwsSecurityCredentials(str(now.access_key), str(now.secret_key), now.token)

    def get_aws_region(self, context: Any, request: Any) -> str:
        return str(self._session.region_name or _ANY_REGION)
