from ..data_scripts.conftest import own_cache

__all__ = ["own_cache"]
