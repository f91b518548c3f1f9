"""Create the types that moto's CloudFormation does not create, or not fully."""

from __future__ import annotations

import json
from typing import Any

from extract_project_tests.support.cloudformation.made import Client, Made, Make, Properties, call


def _alarm(client: Client, name: str, properties: Properties) -> Made:
    call(client, "cloudwatch", "put_metric_alarm", {"AlarmName": name, **properties})
    return Made(name, {}, lambda: client("cloudwatch").delete_alarms(AlarmNames=[name]))


def _vpc(client: Client, name: str, properties: Properties) -> Made:
    given = dict(properties)
    switches = {key: given.pop(key) for key in ("EnableDnsHostnames", "EnableDnsSupport")}
    tags = {"ResourceType": "vpc", "Tags": given.pop("Tags")}
    made = call(client, "ec2", "create_vpc", {**given, "TagSpecifications": [tags]})["Vpc"]["VpcId"]
    for key, on in switches.items():
        client("ec2").modify_vpc_attribute(VpcId=made, **{key: {"Value": on}})
    return Made(made, {}, lambda: client("ec2").delete_vpc(VpcId=made))


def _association(client: Client, name: str, properties: Properties) -> Made:
    made = call(client, "ec2", "associate_route_table", properties)["AssociationId"]
    return Made(made, {}, lambda: client("ec2").disassociate_route_table(AssociationId=made))


def _egress(client: Client, name: str, properties: Properties) -> Made:
    rule = {key: properties[key] for key in ("IpProtocol", "FromPort", "ToPort")}
    described = {"Description": properties["Description"]}
    if "DestinationPrefixListId" in properties:
        to = {"PrefixListId": properties["DestinationPrefixListId"], **described}
        rule["PrefixListIds"] = [to]
    else:
        to = {"GroupId": properties["DestinationSecurityGroupId"], **described}
        rule["UserIdGroupPairs"] = [to]
    wanted = {"GroupId": properties["GroupId"], "IpPermissions": [rule]}
    call(client, "ec2", "authorize_security_group_egress", wanted)
    return Made(name)  # deleted with its group: moto deletes in any order


def _prefix_list(client: Client, name: str, properties: Properties) -> Made:
    made = call(client, "ec2", "create_managed_prefix_list", properties)["PrefixList"]
    of = made["PrefixListId"]
    return Made(of, {}, lambda: client("ec2").delete_managed_prefix_list(PrefixListId=of))


def _endpoint(client: Client, name: str, properties: Properties) -> Made:
    given = {"VpcEndpointType": "Gateway", **properties}
    if "PolicyDocument" in given:
        given["PolicyDocument"] = json.dumps(given["PolicyDocument"])
    made = call(client, "ec2", "create_vpc_endpoint", given)["VpcEndpoint"]
    of = made["VpcEndpointId"]
    entries = [f"{each['HostedZoneId']}:{each['DnsName']}" for each in made.get("DnsEntries", ())]

    def change(to: Properties) -> None:
        (found,) = client("ec2").describe_vpc_endpoints(VpcEndpointIds=[of])["VpcEndpoints"]
        before, after = set(found["RouteTableIds"]), set(to["RouteTableIds"])
        # moto cannot take route tables away.
        if after > before:
            client("ec2").modify_vpc_endpoint(
                VpcEndpointId=of, AddRouteTableIds=sorted(after - before)
            )

    return Made(
        of,
        {"DnsEntries": entries},
        lambda: client("ec2").delete_vpc_endpoints(VpcEndpointIds=[of]),
        change,
    )


def _role_policy(client: Client, name: str, properties: Properties) -> Made:
    document = json.dumps(properties["PolicyDocument"])
    call(client, "iam", "put_role_policy", {**properties, "PolicyDocument": document})
    return Made(name)  # deleted with its role


def _bucket_policy(client: Client, name: str, properties: Properties) -> Made:
    bucket = properties["Bucket"]
    client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(properties["PolicyDocument"]))
    return Made(name, {}, lambda: client("s3").delete_bucket_policy(Bucket=bucket))


def _subscription(client: Client, name: str, properties: Properties) -> Made:
    reply = call(client, "sns", "subscribe", properties)
    return Made(reply["SubscriptionArn"])


def _secret(client: Client, name: str, properties: Properties) -> Made:
    generate = properties.pop("GenerateSecretString", None)
    if generate:
        secret = json.loads(generate.pop("SecretStringTemplate"))
        key = generate.pop("GenerateStringKey")
        reply = call(client, "secretsmanager", "get_random_password", generate)
        secret[key] = reply["RandomPassword"]
        properties["SecretString"] = json.dumps(secret)
    reply = call(client, "secretsmanager", "create_secret", {"Name": name, **properties})
    return Made(reply["ARN"])


def _repository(client: Client, name: str, properties: Properties) -> Made:
    given, of = dict(properties), {"repositoryName": name.lower()}
    policy = given.pop("LifecyclePolicy")["LifecyclePolicyText"]
    made = call(client, "ecr", "create_repository", {**of, **given})["repository"]
    client("ecr").put_lifecycle_policy(**of, lifecyclePolicyText=policy)
    attributes = {"Arn": made["repositoryArn"], "RepositoryUri": made["repositoryUri"]}
    return Made(name.lower(), attributes)


def _key(client: Client, name: str, properties: Properties) -> Made:
    given = dict(properties)
    rotated, policy = given.pop("EnableKeyRotation"), json.dumps(given.pop("KeyPolicy"))
    made = call(client, "kms", "create_key", {**given, "Policy": policy})["KeyMetadata"]
    if rotated:
        client("kms").enable_key_rotation(KeyId=made["KeyId"])
    return Made(made["KeyId"], {"Arn": made["Arn"]})


def _log_group(client: Client, name: str, properties: Properties) -> Made:
    given = {"LogGroupName": name, **properties}
    days, of = given.pop("RetentionInDays"), {"logGroupName": given["LogGroupName"]}
    call(client, "logs", "create_log_group", given)
    call(client, "logs", "put_retention_policy", {**of, "RetentionInDays": days})
    (made,) = client("logs").describe_log_groups(logGroupNamePrefix=of["logGroupName"])["logGroups"]
    return Made(
        of["logGroupName"], {"Arn": made["arn"]}, lambda: client("logs").delete_log_group(**of)
    )


def _namespace(client: Client, name: str, properties: Properties) -> Made:
    reply = call(client, "servicediscovery", "create_private_dns_namespace", properties)
    operation = client("servicediscovery").get_operation(OperationId=reply["OperationId"])
    return Made(operation["Operation"]["Targets"]["NAMESPACE"])


def _discovered(client: Client, name: str, properties: Properties) -> Made:
    api = client("servicediscovery")
    reply = call(client, "servicediscovery", "create_service", properties)["Service"]

    def delete() -> None:
        for each in api.list_instances(ServiceId=reply["Id"])["Instances"]:
            api.deregister_instance(ServiceId=reply["Id"], InstanceId=each["Id"])
        api.delete_service(Id=reply["Id"])

    return Made(reply["Id"], {"Arn": reply["Arn"]}, delete)


def _address(client: Client, name: str, properties: Properties) -> Made:
    given = {
        "ServiceId": properties["ServiceId"],
        "InstanceId": name,
        "Attributes": properties["InstanceAttributes"],
    }
    call(client, "servicediscovery", "register_instance", given)
    return Made(name)  # deleted with its service: moto deletes in any order


def _task_definition(client: Client, name: str, properties: Properties) -> Made:
    wanted = {"Family": name, **properties}
    reply = call(client, "ecs", "register_task_definition", wanted)["taskDefinition"]
    arn = reply["taskDefinitionArn"]
    return Made(arn, {}, lambda: client("ecs").deregister_task_definition(taskDefinition=arn))


def _service(client: Client, name: str, properties: Properties) -> Made:
    arn = call(client, "ecs", "create_service", {"ServiceName": name, **properties})
    of = {"cluster": properties["Cluster"], "service": name}

    def change(to: Properties) -> None:
        wanted = {key: each for key, each in to.items() if key not in ("Cluster", "LaunchType")}
        call(client, "ecs", "update_service", {**of, **wanted})

    return Made(
        arn["service"]["serviceArn"],
        {"Name": name},
        lambda: client("ecs").delete_service(**of, force=True),
        change,
    )


def _subnets(client: Client, name: str, properties: Properties) -> Made:
    of = {"DBSubnetGroupName": name.lower()}
    call(client, "rds", "create_db_subnet_group", {**of, **properties})
    return Made(name.lower(), {}, lambda: client("rds").delete_db_subnet_group(**of))


def _parameters(client: Client, name: str, properties: Properties) -> Made:
    given, of = dict(properties), {"DBParameterGroupName": name.lower()}
    values = given.pop("Parameters")
    given["DBParameterGroupFamily"] = given.pop("Family")
    call(client, "rds", "create_db_parameter_group", {**of, **given})
    wanted = [
        {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
        for key, value in values.items()
    ]
    client("rds").modify_db_parameter_group(**of, Parameters=wanted)
    return Made(name.lower(), {}, lambda: client("rds").delete_db_parameter_group(**of))


def _database(client: Client, name: str, properties: Properties) -> Made:
    wanted = {"DBInstanceIdentifier": name.lower(), **properties}
    wanted["VpcSecurityGroupIds"] = wanted.pop("VPCSecurityGroups")
    reply = call(client, "rds", "create_db_instance", wanted)["DBInstance"]

    def change(to: Properties) -> None:
        changed = {key: each for key, each in to.items() if each != properties.get(key)}
        replacing = changed.keys() - {"DBInstanceClass", "MultiAZ"}
        assert not replacing, f"these may replace the database: {sorted(replacing)}"
        of = {"DBInstanceIdentifier": name.lower(), "ApplyImmediately": True}
        call(client, "rds", "modify_db_instance", {**of, **changed})
        properties.update(changed)

    return Made(name.lower(), {"Endpoint.Address": reply["Endpoint"]["Address"]}, change=change)


def _bucket(client: Client, name: str, properties: Properties) -> Made:
    """Send each property in the request that sets it."""
    given, s3 = dict(properties), client("s3")
    s3.create_bucket(Bucket=name)

    def put(operation: str, **configuration: Any) -> None:
        call(client, "s3", operation, {"Bucket": name, **configuration})

    put(
        "put_bucket_versioning",
        VersioningConfiguration=given.pop("VersioningConfiguration"),
    )
    put(
        "put_public_access_block",
        PublicAccessBlockConfiguration=given.pop("PublicAccessBlockConfiguration"),
    )
    put("put_bucket_ownership_controls", OwnershipControls=given.pop("OwnershipControls"))
    encryption = [
        {
            "BucketKeyEnabled": each["BucketKeyEnabled"],
            "ApplyServerSideEncryptionByDefault": each["ServerSideEncryptionByDefault"],
        }
        for each in given.pop("BucketEncryption")["ServerSideEncryptionConfiguration"]
    ]
    put("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": encryption})
    rules = [_lifecycle(each) for each in given.pop("LifecycleConfiguration")["Rules"]]
    put("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": rules})
    if given.pop("NotificationConfiguration", None):
        events: Properties = {"EventBridgeConfiguration": {}}
        put("put_bucket_notification_configuration", NotificationConfiguration=events)
    assert not given, f"nothing puts {sorted(given)} on a bucket"
    return Made(name, {"Arn": f"arn:aws:s3:::{name}"}, lambda: s3.delete_bucket(Bucket=name))


def _lifecycle(rule: Properties) -> Properties:
    changed = {
        name: each for name, each in rule.items() if name not in ("ExpirationInDays", "Prefix")
    }
    if "ExpirationInDays" in rule:
        changed["Expiration"] = {"Days": rule["ExpirationInDays"]}
    return {"Filter": {"Prefix": rule["Prefix"]}, **changed}


MAKERS: dict[str, Make] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::EC2::PrefixList": _prefix_list,
    "AWS::EC2::SecurityGroupEgress": _egress,
    "AWS::EC2::SubnetRouteTableAssociation": _association,
    "AWS::EC2::VPC": _vpc,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ECR::Repository": _repository,
    "AWS::ECS::Service": _service,
    "AWS::ECS::TaskDefinition": _task_definition,
    "AWS::IAM::RolePolicy": _role_policy,
    "AWS::KMS::Key": _key,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::RDS::DBInstance": _database,
    "AWS::RDS::DBParameterGroup": _parameters,
    "AWS::RDS::DBSubnetGroup": _subnets,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::ServiceDiscovery::Instance": _address,
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _namespace,
    "AWS::ServiceDiscovery::Service": _discovered,
}
