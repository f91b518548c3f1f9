"""Amazon SNS: one topic, to which email, chat, pagers and queues can subscribe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from extract_project.alerts.channels.protocol import TIMEOUT_SECONDS
from extract_project.alerts.message import Message
from extract_project.errors import AlertError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
_ATTEMPTS = 2
_SERVER_ERROR = 500
_DENIED = {"AuthorizationError", "AccessDenied", "AccessDeniedException", "KMSAccessDenied"}
_TRANSIENT = {
    *("Throttled", "Throttling", "ThrottlingException", "KMSThrottling"),
    *("ExpiredToken", "RequestExpired", "RequestTimeTooSkewed"),
}


def _topic(value: str) -> str:
    if value.endswith(".fifo"):
        raise ValueError(
            f"{value!r} is a FIFO topic, which cannot send mail: expected a standard one"
        )
    if not _ARN.fullmatch(value):
        raise ValueError(
            f"{value!r} is not the ARN of a topic: expected arn:aws:sns:<region>:<account>:<name>"
        )
    return value


TopicArn = Annotated[str, AfterValidator(_topic)]


class SnsChannel(BaseModel):
    """A topic, published to with the AWS credentials of the deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "sns"
    topic_arn: TopicArn

    @property
    def region(self) -> str:
        return self.topic_arn.split(":")[3]

    def send(self, message: Message) -> None:
        """Publish to the topic; raises AlertError."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        config = Config(
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
        try:
            # A separate session: the default one is not safe to share between threads.
            client = boto3.Session().client("sns", region_name=self.region, config=config)
            client.publish(TopicArn=self.topic_arn, Subject=message.subject, Message=message.text)
        except ClientError as error:
            raise self._refused(error) from None
        except NoCredentialsError:
            raise AlertError(
                f"no AWS credentials were found to publish to {self.topic_arn}: expected a role or "
                f"AWS_ACCESS_KEY_ID; without SNS, unset EXTRACT_ALERTS__SNS_TOPIC"
            ) from None
        except BotoCoreError as error:
            raise AlertError(
                f"sns could not be reached in {self.region}: {error}; "
                f"correct the region in EXTRACT_ALERTS__SNS_TOPIC, or AWS_ENDPOINT_URL",
                transient=True,
            ) from None

    def _refused(self, error: ClientError) -> AlertError:
        code = error.response["Error"]["Code"]
        if code in {"NotFound", "NotFoundException"}:
            return AlertError(
                f"topic {self.topic_arn} does not exist: correct EXTRACT_ALERTS__SNS_TOPIC, "
                f"or create the topic"
            )
        said = f"sns refused a message for {self.topic_arn} ({code}): "
        said += error.response["Error"]["Message"]
        if code in _DENIED:
            return AlertError(
                f"{said}; grant sns:Publish on it, and kms:GenerateDataKey and kms:Decrypt on its "
                f"key where it is encrypted, or correct EXTRACT_ALERTS__SNS_TOPIC"
            )
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        transient = code in _TRANSIENT or status >= _SERVER_ERROR
        next_step = "try again" if transient else "correct EXTRACT_ALERTS__SNS_TOPIC"
        return AlertError(f"{said}; {next_step}", transient=transient)
