"""The alert sensor: from what real runs left in an instance to what arrives in Slack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from extract_project.alerts.channels import Channel, EmailChannel
from extract_project.orchestration.failed.alerting import Memory, look, tell
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.channels.mail_server import mail_server
from extract_project_tests.support.channels.slack_server import SlackServer, slack_server
from extract_project_tests.support.executing import definitions, execute

GOOD, BAD = "select 1 as a", "select error('no such day') as a"
REFUSED = "/*---\nchecks: [{min_rows: 2}]\n---*/\nselect 1 as a"
MINUTE = timedelta(minutes=1)


class Watch:
    """One channel and its memory, looked at whenever the test says so."""

    def __init__(self, site: Site, settings: Settings, slack: SlackServer) -> None:
        self.site, self.settings, self.slack = site, settings, slack
        self.now = datetime.now(UTC)
        self.instance = dg.DagsterInstance.ephemeral()
        self.memory: Memory | None = None
        self.said = ""
        self.channel: Channel = slack.channel

    def run(self, *paths: str) -> None:
        execute(definitions(self.site, self.settings), self.instance, *paths)

    def after(self, time: timedelta) -> list[str]:
        """Look again after some time; returns what arrived since the last look."""
        self.now += time
        before = len(self.slack.texts)
        trouble = look(self.instance, self.site.snapshot().extracts, self.now)
        self.memory, self.said = tell(self.channel, self.memory, trouble, self.settings, self.now)
        return self.slack.texts[before:]


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def watch(site: Site, settings: Settings, slack: SlackServer) -> Iterator[Watch]:
    watching = Watch(site, settings, slack)
    with watching.instance:
        watching.after(timedelta())
        yield watching


def test_one_outage_is_one_message(watch: Watch, site: Site) -> None:
    for number in range(4):
        site.put_sql(f"a/bad_{number}", BAD)
    site.put_sql("a/good", GOOD)
    watch.run("a/bad_0", "a/good")
    assert watch.after(MINUTE) == []
    watch.run("a/bad_1", "a/bad_2")
    assert watch.after(MINUTE) == []
    (text,) = watch.after(MINUTE)
    assert "3 extracts failed (sql)" in text
    assert "no such day" in text
    assert all(f"a/bad_{number}" in text for number in range(3))
    assert "a/good" not in text
    assert "extract rerun --failed" in text
    watch.run("a/bad_3")
    for _ in range(2):
        assert watch.after(5 * MINUTE) == []  # more of what has just been told
    (more,) = watch.after(21 * MINUTE)
    assert "a/bad_3" in more
    assert "a/bad_0" not in more


def test_another_cause_is_told_at_once_and_takes_along_what_waits(watch: Watch, site: Site) -> None:
    site.put_sql("a/first", BAD)
    site.put_sql("a/second", BAD)
    site.put_sql("a/refused", REFUSED)
    watch.run("a/first")
    watch.after(MINUTE)
    assert len(watch.after(2 * MINUTE)) == 1
    watch.run("a/second", "a/refused")
    watch.after(MINUTE)
    (text,) = watch.after(2 * MINUTE)
    assert "1 extract refused" in text or "1 refused" in text
    assert "a/second" in text


def test_a_recovery_is_told(watch: Watch, site: Site) -> None:
    site.put_sql("a/b", BAD)
    watch.run()
    watch.after(MINUTE)
    watch.after(2 * MINUTE)
    site.put_sql("a/b", GOOD)
    watch.run()
    watch.after(MINUTE)
    (text,) = watch.after(2 * MINUTE)
    assert "1 extract recovered" in text or "recovered" in text
    assert "a/b" in text
    assert watch.after(60 * MINUTE) == []


def test_what_recovers_before_it_is_told_disturbs_nobody(watch: Watch, site: Site) -> None:
    site.put_sql("a/b", BAD)
    watch.run()
    watch.after(MINUTE)
    site.put_sql("a/b", GOOD)
    watch.run()
    assert watch.after(60 * MINUTE) == []
    assert watch.slack.texts == []


def test_a_removed_extract_has_not_recovered(watch: Watch, site: Site) -> None:
    site.put_sql("a/b", BAD)
    watch.run()
    watch.after(MINUTE)
    assert len(watch.after(2 * MINUTE)) == 1
    site.s3.delete_object(Bucket=site.manifest.bucket, Key=site.manifest.key("a/b.sql"))
    watch.after(MINUTE)
    assert watch.after(60 * MINUTE) == []


def test_what_failed_before_anybody_listened_is_no_news(
    site: Site, settings: Settings, slack: SlackServer
) -> None:
    watching = Watch(site, settings, slack)
    with watching.instance:
        site.put_sql("a/b", BAD)
        watching.run()
        for _ in range(3):
            assert watching.after(60 * MINUTE) == []


def test_a_channel_that_is_down_gets_it_all_later(watch: Watch, site: Site) -> None:
    site.put_sql("a/b", BAD)
    watch.run()
    watch.after(MINUTE)
    watch.slack.answer = (503, "down")
    assert watch.after(2 * MINUTE) == []
    assert "not reached, will be tried again" in watch.said
    watch.slack.answer = (200, "ok")
    (text,) = watch.after(MINUTE)
    assert "a/b" in text


def test_a_channel_that_refuses_is_asked_seldom_and_gets_what_it_missed(
    watch: Watch, site: Site
) -> None:
    """A webhook is revoked, and replaced hours later."""
    site.put_sql("a/first", BAD)
    site.put_sql("a/second", BAD)
    watch.run("a/first")
    watch.after(MINUTE)
    watch.slack.answer = (404, "no_service")
    watch.after(2 * MINUTE)
    assert "EXTRACT_ALERTS__SLACK_WEBHOOK" in watch.said
    asked = watch.slack.requests
    watch.after(29 * MINUTE)
    assert "refused the last message" in watch.said
    assert watch.slack.requests == asked
    watch.run("a/second")
    for number in (1, 2):
        watch.after(31 * MINUTE)
        assert watch.slack.requests == asked + number
    watch.slack.answer = (200, "ok")
    (text,) = watch.after(31 * MINUTE)
    assert "a/first" in text
    assert "a/second" in text
    assert watch.after(60 * MINUTE) == []


def test_a_letter_that_one_address_refused_is_not_sent_to_the_others_again(
    watch: Watch, site: Site
) -> None:
    site.put_sql("a/b", BAD)
    watch.run()
    with mail_server() as server:
        server.refusals = {"gone@example.com": "550 no such mailbox"}
        watch.channel = EmailChannel(
            host="127.0.0.1",
            port=server.port,
            sender="extracts@example.com",
            to=["gone@example.com", "there@example.com"],
            security="none",
        )
        watch.after(MINUTE)
        watch.after(2 * MINUTE)
        assert "gone@example.com" in watch.said
        watch.after(60 * MINUTE)
        assert len(server.letters) == 1


def test_stale_data_is_told_once(watch: Watch, site: Site) -> None:
    site.put_sql("a/b", "/*---\nfreshness: 26h\n---*/\nselect 1 as a")
    watch.run()
    assert watch.after(20 * 60 * MINUTE) == []
    watch.after(7 * 60 * MINUTE)
    (text,) = watch.after(3 * MINUTE)
    assert "stale" in text
    assert watch.after(60 * MINUTE) == []


def test_the_sensor_is_there_when_somebody_is_to_be_told(
    site: Site, settings: Settings, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from extract_project.settings import load_settings

    site.put_sql("a/b", BAD)
    without = definitions(site, settings).get_repository_def()
    assert not without.has_sensor_def("alerts")
    webhook = slack.channel.webhook.get_secret_value()
    monkeypatch.setenv("EXTRACT_ALERTS__SLACK_WEBHOOK", webhook)
    repository = definitions(site, load_settings()).get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        tick = repository.get_sensor_def("alerts").evaluate_tick(context)
    assert tick.skip_message == "slack: listening from now on"
    assert tick.cursor
    assert webhook not in tick.cursor
