"""ECS on this machine: Amazon's API as moto answers it, and tasks that are real processes.

    with local_ecs(directory) as ecs:
        ecs.environment          # how the AWS SDK of any process finds it
        ecs.client("ecs")        # the API
        ecs.launched             # what was launched, with which size and which process
        ecs.faults.throttle(2)   # the next two RunTask calls are refused
        ecs.lose(task_arn)       # the task's host is gone

RunTask checks what ECS checks and moto does not; StopTask is SIGTERM, and SIGKILL after the stop
timeout; output goes to CloudWatch when the task ends; reasons and exit codes are those of Fargate.

What it does not cover: images (a task runs in this Python's environment), IAM and roles, real
networks and security groups, limits of CPU, memory and disk (their end can be injected, nothing is
measured), services and their deployments, capacity providers, more than one container in a task,
quotas and regions, and how long Fargate takes to start something.
"""

from extract_project_tests.support.local_ecs.faults import Faults
from extract_project_tests.support.local_ecs.service import LocalEcs, local_ecs
from extract_project_tests.support.local_ecs.tasks import Launched

__all__ = ["Faults", "Launched", "LocalEcs", "local_ecs"]
