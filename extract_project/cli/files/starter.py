"""The files that `extract init` writes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

DEFAULTS = """\
# Header keys for every SQL file in this folder and below. A file's own header wins.
# owners: team:…
# timezone: Europe/Berlin
retries: {max: 2, delay: 30s}
"""

SAMPLE = """\
/*---
description: A first extract. Replace it with your own, as with extract new.
checks:
  - min_rows: 1
---*/
select 1 as one
"""

WORKFLOW = """\
# Checks the SQL files of a pull request, comments what it changes, and pushes what is merged.
name: extracts
on:
  pull_request:
    paths: ["{folder}/**"]
  push:
    branches: [main]
    paths: ["{folder}/**"]

permissions:
  contents: read
  id-token: write # to sign in to AWS without a key
  pull-requests: write # to comment

concurrency: extracts-${{{{ github.ref }}}} # two pushes one after the other

jobs:
  extracts:
    runs-on: ubuntu-latest
    env:
      AWS_REGION: eu-central-1
      # The first may read, the second write; docs/pull-requests.md has the rights of both.
      PLAN_ROLE: arn:aws:iam::111122223333:role/extracts-plan
      PUSH_ROLE: arn:aws:iam::111122223333:role/extracts-push
{environment}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: pip install extract-project # from where your company keeps it
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          role-to-assume: ${{{{ github.event_name == 'push' && env.PUSH_ROLE || env.PLAN_ROLE }}}}
          aws-region: ${{{{ env.AWS_REGION }}}}
      - run: extract check {folder}
      - run: extract plan {folder} --diff --fail-on-breaking --format markdown > plan.md
        if: ${{{{ !cancelled() && github.event_name == 'pull_request' }}}}
      - name: Comment, in place of the comment on an earlier commit
        if: ${{{{ !cancelled() && github.event_name == 'pull_request' }}}}
        env:
          GH_TOKEN: ${{{{ github.token }}}}
          COMMENTS: repos/${{{{ github.repository }}}}/issues
          NUMBER: ${{{{ github.event.number }}}}
        run: |
          known=$(gh api --paginate "$COMMENTS/$NUMBER/comments" \\
            --jq '.[] | select(.body | startswith("<!-- extract plan -->")) | .id' | head -n 1)
          if [ -n "$known" ]; then
            gh api --silent --method PATCH "$COMMENTS/comments/$known" --field body=@plan.md
          else
            gh api --silent "$COMMENTS/$NUMBER/comments" --field body=@plan.md
          fi
      # The repository says what is newest, the plan has described it, and the sensor loads it.
      - run: extract push {folder} --overwrite --no-describe --no-wait
        if: github.event_name == 'push'
"""


def environment_file(values: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Settings for a shell. Secrets are named and have no value here."""
    lines = [
        "# Settings of this deployment: `. ./extract.env` in a shell. docs/settings.md has all.",
        *(f"export {name}={shlex.quote(value)}" for name, value in values.items()),
    ]
    if secrets:
        lines += [
            "# Secrets do not belong in a file: export the one that you use from a secret store.",
            *(f"# export {name}=…" for name in secrets),
        ]
    return "\n".join(lines) + "\n"


def workflow(values: Mapping[str, str], secrets: Sequence[str], folder: str) -> str:
    """A workflow of GitHub Actions."""
    lines = [f"      {name}: {_yaml(value)}" for name, value in values.items()]
    lines += [f"      # {name}: ${{{{ secrets.{name} }}}}" for name in secrets]
    return WORKFLOW.format(folder=folder, environment="\n".join(lines))


def _yaml(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
