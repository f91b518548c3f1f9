"""Running this project on AWS: the instance, the stack, and what it costs."""
