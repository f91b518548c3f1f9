"""`EXTRACT_ALERTS__…`: what is missing or misspelled is named by its variable."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from extract_project.alerts.channels import EmailChannel, SlackChannel, SnsChannel
from extract_project.alerts.settings import AlertSettings
from extract_project.errors import SettingsError
from extract_project.settings import load_settings

BASE = {
    "EXTRACT_MANIFEST": "s3://sql/prefix",
    "EXTRACT_DATA": "s3://data",
    "EXTRACT_WAREHOUSES__SHOP__TYPE": "duckdb",
}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:extracts"
WEBHOOK = "https://hooks.slack.com/services/T1/B1/hunter2"
EMAIL = {
    "EMAIL_TO": "a@example.com, B <b@example.com>,",
    "EMAIL_FROM": "extracts@example.com",
    "SMTP_HOST": "mail",
}


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("EXTRACT_"):
            monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, **fields: str) -> AlertSettings:
    alerts = {f"EXTRACT_ALERTS__{name}": value for name, value in fields.items()}
    for name, value in {**BASE, **alerts}.items():
        monkeypatch.setenv(name, value)
    return load_settings().alerts


def test_nobody_is_told_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).channels == ()


def test_an_empty_variable_is_as_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name.upper() for name in AlertSettings.model_fields]
    assert load(monkeypatch, **dict.fromkeys(names, "")).channels == ()


def test_every_channel_is_read_from_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = {"SMTP_USER": "u", "SMTP_PASSWORD": "hunter2", "SMTP_PORT": "2525"}
    alerts = load(monkeypatch, SNS_TOPIC=TOPIC, SLACK_WEBHOOK=WEBHOOK, **EMAIL, **signed)
    sns, slack, email = alerts.channels
    assert [channel.name for channel in alerts.channels] == ["sns", "slack", "email"]
    assert isinstance(sns, SnsChannel)
    assert (sns.topic_arn, sns.region) == (TOPIC, "eu-central-1")
    assert isinstance(slack, SlackChannel)
    assert slack.webhook.get_secret_value() == WEBHOOK
    assert isinstance(email, EmailChannel)
    assert email.to == ["a@example.com", "B <b@example.com>"]
    assert (email.sender, email.host, email.port) == ("extracts@example.com", "mail", 2525)
    assert (email.user, email.security) == ("u", "starttls")
    assert email.password is not None
    assert email.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(alerts) + repr(alerts.channels)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_from_the_security(
    monkeypatch: pytest.MonkeyPatch, security: str, port: int
) -> None:
    [email] = load(monkeypatch, **EMAIL, SMTP_SECURITY=security).channels
    assert isinstance(email, EmailChannel)
    assert email.port == port


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8065/hooks/hunter2", "http://127.0.0.1/x", "https://chat.example.com/x"],
)
def test_a_webhook_is_encrypted_unless_it_is_local(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    assert len(load(monkeypatch, SLACK_WEBHOOK=address).channels) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"SLAK_WEBHOOK": WEBHOOK},
            "^EXTRACT_ALERTS__SLAK_WEBHOOK is not a setting of alerts: did you mean",
        ),
        (
            {"PAGER": "hunter2"},
            "^EXTRACT_ALERTS__PAGER is not a setting of alerts: expected one of",
        ),
        (
            {"SNS_TOPIC": "extracts"},
            "^EXTRACT_ALERTS__SNS_TOPIC: 'extracts' is not the ARN of a topic",
        ),
        ({"SNS_TOPIC": f"{TOPIC}.fifo"}, "^EXTRACT_ALERTS__SNS_TOPIC: .* is a FIFO topic"),
        (
            {"SLACK_WEBHOOK": "http://hooks.slack.com/hunter2"},
            "^EXTRACT_ALERTS__SLACK_WEBHOOK: the address does not begin with https://",
        ),
        (
            {"SLACK_WEBHOOK": "http://127.0.0.1.example.com/hunter2"},
            "^EXTRACT_ALERTS__SLACK_WEBHOOK: the address does not begin with https://",
        ),
        (
            {"SLACK_WEBHOOK": "file://localhost/hunter2"},
            "^EXTRACT_ALERTS__SLACK_WEBHOOK: the address does not begin with https://",
        ),
        ({"SLACK_WEBHOOK": "https:///hunter2"}, "^EXTRACT_ALERTS__SLACK_WEBHOOK: the address does"),
        ({"SLACK_WEBHOOK": "https://x/ hunter2"}, "^EXTRACT_ALERTS__SLACK_WEBHOOK: .*characters"),
        (
            {"SLACK_WEBHOOK": "https://x:hunter2/"},
            "^EXTRACT_ALERTS__SLACK_WEBHOOK: .*cannot be read",
        ),
        (
            {"EMAIL_TO": "a@example.com"},
            "^EXTRACT_ALERTS__EMAIL_TO is set, but EXTRACT_ALERTS__SMTP_HOST and "
            "EXTRACT_ALERTS__EMAIL_FROM are not",
        ),
        (
            {"EMAIL_TO": "a@example.com", "SMTP_HOST": "mail"},
            "^EXTRACT_ALERTS__EMAIL_TO is set, but EXTRACT_ALERTS__EMAIL_FROM is not",
        ),
        (
            {"SMTP_HOST": "mail"},
            "^EXTRACT_ALERTS__SMTP_HOST is set, but EXTRACT_ALERTS__EMAIL_TO is not",
        ),
        (
            {**EMAIL, "EMAIL_TO": "a@example.com,b"},
            "^EXTRACT_ALERTS__EMAIL_TO: 'b' is not an email",
        ),
        (
            {**EMAIL, "EMAIL_FROM": "extracts"},
            "^EXTRACT_ALERTS__EMAIL_FROM: 'extracts' is not an email",
        ),
        (
            {**EMAIL, "SMTP_USER": "u"},
            "^EXTRACT_ALERTS__SMTP_USER and .* belong together",
        ),
        (
            {**EMAIL, "SMTP_PASSWORD": "hunter2"},
            "^EXTRACT_ALERTS__SMTP_USER and .* belong together",
        ),
        (
            {**EMAIL, "SMTP_USER": "u", "SMTP_PASSWORD": "hunter2", "SMTP_SECURITY": "none"},
            "^EXTRACT_ALERTS__SMTP_PASSWORD would be sent unencrypted",
        ),
        ({**EMAIL, "SMTP_SECURITY": "ssl"}, "^EXTRACT_ALERTS__SMTP_SECURITY: .*'starttls', 'tls'"),
        ({**EMAIL, "SMTP_PORT": "smtp"}, "^EXTRACT_ALERTS__SMTP_PORT: "),
        ({**EMAIL, "SMTP_PORT": "0"}, "^EXTRACT_ALERTS__SMTP_PORT: "),
    ],
)
def test_g11_what_is_wrong_is_named_and_no_secret_is(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        load(monkeypatch, **fields)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_alerts_need_no_dagster_and_load_no_client_before_they_send() -> None:
    program = (
        "import sys; import extract_project.alerts.settings, extract_project.alerts.message; "
        "print(sorted({'dagster', 'boto3', 'botocore', 'smtplib', 'requests'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")
