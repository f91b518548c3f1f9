"""The AWS stack as code. `python -m deploy.stack` writes `deploy/template.yaml` out of it.

Every resource stands directly under the stack, so that its name here is its name in the template,
and nothing needs a bootstrap, an asset or a Lambda function.
"""
