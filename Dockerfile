# One image for code server, webserver, daemon and runs: they always have the same code.
# The digest of the index, for x86 and ARM alike; docs/deploy.md says how to renew it.
ARG PYTHON_IMAGE=python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN python3 -m venv /opt/venv
# Dependencies first: they change less often than the code, and their layer is the large one.
# `--build-arg LOCK=requirements-warehouses.lock` adds the drivers of all warehouses that are extras.
ARG LOCK=requirements.lock
COPY requirements.lock requirements-warehouses.lock ./
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r "${LOCK}"
# The build backend is pinned too, and stays out of the image: pip would fetch its newest.
RUN python3 -m venv /opt/backend \
    && /opt/backend/bin/pip install --no-cache-dir --no-deps --only-binary :all: \
        hatchling==1.33.0 packaging==26.3 pathspec==1.1.1 pluggy==1.7.0 \
        tomlkit==0.15.2 trove-classifiers==2026.9.21.13
COPY pyproject.toml README.md ./
COPY extract_project extract_project
RUN /opt/backend/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/venv/bin/pip install --no-cache-dir --no-index --no-deps dist/*.whl
# What has been installed, as CycloneDX; the tool that says so stays out of the image.
COPY deploy/sbom.lock ./
RUN python3 -m venv /opt/sbom \
    && /opt/sbom/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r sbom.lock \
    && /opt/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
        --output-file sbom.cdx.json /opt/venv

FROM ${PYTHON_IMAGE}
# DAGSTER_HOME is the only directory that is written to: mount a volume there (and on /tmp), and
# the rest of the file system can be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_HOME=/opt/dagster \
    AWS_CONFIG_FILE=/opt/extract/aws.cfg
RUN groupadd --gid 10001 extract \
    && useradd --no-log-init --uid 10001 --gid 10001 --no-create-home extract \
    && install --directory --owner 10001 --group 10001 /opt/dagster
COPY --from=build /opt/venv /opt/venv
# Outside DAGSTER_HOME, where a mounted volume would hide it.
COPY workspace.yaml /opt/extract/workspace.yaml
COPY deploy/aws.cfg /opt/extract/aws.cfg
COPY --from=build /build/sbom.cdx.json /opt/extract/sbom.cdx.json
WORKDIR /opt/extract
# An empty volume of Fargate's is root's, unless the image says that there is one, and whose it is.
VOLUME ["/opt/dagster", "/tmp"]
USER 10001:10001
EXPOSE 4000
# No ENTRYPOINT: EcsRunLauncher replaces the command only, and PID 1 has to get SIGTERM itself.
CMD ["extract", "code-server", "--host", "0.0.0.0", "--port", "4000", "--module", "extract_project.definitions"]
