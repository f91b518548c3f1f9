"""Messages to people: one message for many alerts, and the channels that send it.

This package does not find failures. Whoever finds some makes `Alert`s of them, and then:

    message = compose(alerts, deployment)
    for channel in settings.alerts.channels:
        channel.send(message)
"""
