"""Answers of a code server that are kept, and those that are not."""

from __future__ import annotations

from dagster._core.remote_representation.external_data import RepositoryErrorSnap
from dagster._grpc.__generated__.dagster_api_pb2 import ExternalJobRequest
from dagster._serdes import serialize_value
from dagster_shared.error import SerializableErrorInfo

from extract_project.orchestration import dagster_internals
from extract_project.orchestration.code_server.answers import answered_once


class Server:
    """Answers with the number of times that it was asked, at first with errors."""

    def __init__(self, errors: int = 0) -> None:
        self.asked, self.errors = 0, errors

    def answer(self, question: ExternalJobRequest) -> str:
        self.asked += 1
        return f"{'error' if self.asked <= self.errors else question.job_name} {self.asked}"


once = answered_once(
    Server.answer, lambda text: None if text.startswith("error") else text.encode(), bytes.decode
)


def job(name: str) -> ExternalJobRequest:
    return ExternalJobRequest(job_name=name)


def test_each_question_has_an_answer_of_its_own() -> None:
    server = Server()
    asked = [once(server, job(name)) for name in ("daily", "hourly", "daily", "hourly")]
    assert asked == ["daily 1", "hourly 2", "daily 1", "hourly 2"]


def test_each_server_has_answers_of_its_own() -> None:
    first, second = Server(), Server()
    assert once(first, job("daily")) == once(second, job("daily")) == "daily 1"
    assert (first.asked, second.asked) == (1, 1)


def test_an_error_is_not_kept() -> None:
    server = Server(errors=2)
    assert [once(server, job("daily")) for _ in range(4)] == [
        *("error 1", "error 2", "daily 3", "daily 3")
    ]


def test_an_error_of_dagster_is_recognized() -> None:
    error = RepositoryErrorSnap(error=SerializableErrorInfo("broken", [], None))
    assert serialize_value(error).startswith(dagster_internals.ERROR_ANSWER)
