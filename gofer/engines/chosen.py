"""The stores that the settings choose, each made from its own block and not entered yet."""

from gofer.config.settings import Settings
from gofer.engines.protocols import ObjectStoreEngine, SecretStoreEngine
from gofer.engines.registry import EngineRegistry


def chosen_object_store(settings: Settings, registry: EngineRegistry) -> ObjectStoreEngine:
    """Make the object store. Raises as the registry does."""
    store = settings.object_store
    blocks: dict[str, object] = {**store.other, "sqlite": store.sqlite, "filesystem": store.filesystem}
    return registry.object_store(store.engine, blocks.get(store.engine, {}))


def chosen_secret_store(settings: Settings, registry: EngineRegistry) -> SecretStoreEngine:
    """Make the secret store. Raises as the registry does."""
    store = settings.secret_store
    blocks: dict[str, object] = {**store.other, "sqlite": store.sqlite}
    return registry.secret_store(store.engine, blocks.get(store.engine, {}))
