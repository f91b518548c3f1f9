"""The settings `EXTRACT_ALERTS__…`: where alerts go. By default there are none."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

from extract_project.alerts.channels import Channel, EmailChannel, SlackChannel, SnsChannel
from extract_project.alerts.channels.email import Address, Addresses, Security
from extract_project.alerts.channels.slack import Webhook
from extract_project.alerts.channels.sns import TopicArn
from extract_project.separated import separated

_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}


class AlertSettings(BaseModel):
    """The channels through which messages are sent: any of them, or none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sns_topic: TopicArn | None = Field(
        default=None, description="ARN of the SNS topic to which alerts are published."
    )
    slack_webhook: Webhook | None = Field(
        default=None, description="Address of the Slack incoming webhook for alerts."
    )
    email_to: Annotated[Addresses, NoDecode, BeforeValidator(separated)] = Field(
        default=[], description="Addresses to which alerts are mailed, separated by commas."
    )
    email_from: Address | None = Field(
        default=None, description="The sender of the mails; needed with `EMAIL_TO`."
    )
    smtp_host: str | None = Field(
        default=None, description="The mail server; needed with `EMAIL_TO`."
    )
    smtp_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port. Default: 587 for starttls, 465 for tls, 25 for none",
    )
    smtp_user: str | None = Field(
        default=None, description="The user, where the mail server asks for one."
    )
    smtp_password: SecretStr | None = Field(default=None, description="The password of that user.")
    smtp_security: Security = Field(
        default="starttls", description="How the connection to the mail server is encrypted."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        """Treat an empty variable as not set: a task definition often cannot omit it."""
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value != ""}
        return values

    @model_validator(mode="after")
    def _email_is_whole(self) -> Self:
        needed = [name for name in ("smtp_host", "email_from") if not getattr(self, name)]
        if self.email_to and needed:
            raise ValueError(
                f"EXTRACT_ALERTS__EMAIL_TO is set, but {_variables(needed)} not: "
                f"set the mail server and the sender too"
            )
        idle = [name for name in _EMAIL_ONLY if name in self.model_fields_set]
        if idle and not self.email_to:
            raise ValueError(
                f"{_variables(idle)} set, but EXTRACT_ALERTS__EMAIL_TO is not: "
                f"expected addresses, separated by commas"
            )
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError(
                "EXTRACT_ALERTS__SMTP_USER and EXTRACT_ALERTS__SMTP_PASSWORD belong together, but "
                "only one is set: set both, or neither"
            )
        if self.smtp_password is not None and self.smtp_security == "none":
            raise ValueError(
                "EXTRACT_ALERTS__SMTP_PASSWORD would be sent unencrypted: "
                "set EXTRACT_ALERTS__SMTP_SECURITY to starttls or tls"
            )
        return self

    @property
    def channels(self) -> tuple[Channel, ...]:
        """One channel for each that is configured; they fail independently of each other."""
        channels: list[Channel] = []
        if self.sns_topic is not None:
            channels.append(SnsChannel(topic_arn=self.sns_topic))
        if self.slack_webhook is not None:
            channels.append(SlackChannel(webhook=self.slack_webhook))
        if self.email_to and self.smtp_host is not None and self.email_from is not None:
            channels.append(
                EmailChannel(
                    host=self.smtp_host,
                    port=self.smtp_port or _PORTS[self.smtp_security],
                    sender=self.email_from,
                    to=self.email_to,
                    user=self.smtp_user,
                    password=self.smtp_password,
                    security=self.smtp_security,
                )
            )
        return tuple(channels)


_EMAIL_ONLY = [
    name for name in AlertSettings.model_fields if name.startswith("smtp_") or name == "email_from"
]


def _variables(names: list[str]) -> str:
    listed = " and ".join(f"EXTRACT_ALERTS__{name.upper()}" for name in names)
    return f"{listed} is" if len(names) == 1 else f"{listed} are"
