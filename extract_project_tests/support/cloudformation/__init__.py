"""The template as CloudFormation reads it, and a double that deploys it."""
