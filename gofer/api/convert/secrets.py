"""Secrets on the wire."""

from gofer.api.convert.common import ms
from gofer.core.secret import Secret
from gofer.core.secret_record import SecretRecord
from gofer.services.rotation import RotationProgress
from gofer.services.secrets import PutSecret, SecretView
from gofer_sdk._proto import proto


def put_of(request: proto.PutPipelineSecretRequest | proto.PutGlobalSecretRequest) -> PutSecret:
    """Read what a caller wants kept."""
    return PutSecret(key=request.key, value=Secret(request.content), force=request.force)


def record_to_proto(record: SecretRecord) -> proto.SecretStoreKey:
    """Give a secret without its value."""
    return proto.SecretStoreKey(
        key=record.key,
        namespaces=[pattern.text for pattern in record.namespaces],
        created=ms(record.created_at),
    )


def value_of(view: SecretView) -> str:
    """Give the value of a secret, empty where it was not asked for."""
    return "" if view.value is None else view.value.reveal()


def progress_to_proto(progress: RotationProgress) -> proto.RotateKeyResponse:
    """Give how far a rotation is."""
    return proto.RotateKeyResponse(
        done=progress.done,
        total=progress.total,
        reencrypted=progress.resealed,
        unreadable=progress.unreadable,
    )
