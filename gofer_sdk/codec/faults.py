"""The errors of the codec."""


class MalformedMessage(ValueError):
    """Bytes that are no message of their type, or a message that has no bytes.

    The text names the message, and on encoding the field, and says what is wrong.
    """


class UnencodableMessage(MalformedMessage):
    """A message that has no bytes."""
