"""What is sent to people: one message for many alerts, and the channels that carry it.

How a failure is found is not known here: whoever finds some makes `Alert`s of them, and

    message = compose(alerts, deployment)
    for channel in settings.alerts.channels:
        channel.send(message)
"""
