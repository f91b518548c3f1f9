"""The cost page is what the script prints, and the script knows what the template has."""

from __future__ import annotations

from deploy.cost import Prices, Shape, always_on, page, runs
from extract_project.prices import FargatePrices
from extract_project_tests.support.cloudformation.template import ROOT, of_type, template


def test_the_page_is_what_the_script_prints() -> None:
    assert (ROOT / "docs" / "cost.md").read_text() == page(Prices(), Shape())


def test_the_sizes_are_those_of_the_template() -> None:
    shape, parameters = Shape(), template()["Parameters"]
    assert len(of_type("AWS::ECS::Service")) == shape.services
    for name in ("Code", "Webserver", "Daemon"):
        task = of_type("AWS::ECS::TaskDefinition")[f"{name}Task"]
        assert int(task["Cpu"]) / 1024 == shape.service_vcpu
        assert int(task["Memory"]) / 1024 == shape.service_gb
    assert parameters["RunCpu"]["Default"] / 1024 == shape.run_vcpu
    assert parameters["RunMemory"]["Default"] / 1024 == shape.run_gb
    assert parameters["RunDisk"]["Default"] - 20 == shape.run_extra_disk_gb
    kinds = of_type("AWS::EC2::VPCEndpoint")
    always = [name for name in kinds if "Condition" not in template()["Resources"][name]]
    assert len(always) - 1 == shape.endpoints  # S3's costs nothing
    (database,) = of_type("AWS::RDS::DBInstance").values()
    assert int(database["AllocatedStorage"]) == shape.database_gb
    assert parameters["DbClass"]["Default"] == "db.t4g.small"
    assert parameters["DbMultiAz"]["Default"] == "true"
    assert len(of_type("AWS::CloudWatch::Alarm")) == shape.alarms
    assert len(of_type("AWS::SecretsManager::Secret")) == shape.secrets


def test_a_month_by_hand() -> None:
    """5,000 tasks a day of one minute, with half a vCPU and one GB, at two round prices."""
    fargate = FargatePrices(vcpu_hour=0.06, gb_hour=0.03, disk_gb_hour=0)
    prices = Prices(fargate, log_gb=0, list_or_put_request=0)
    assert round(runs(prices, Shape(), 5_000, 1), 2) == 152.0
    assert round(sum(always_on(Prices(), Shape()).values())) == 236
