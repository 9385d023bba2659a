from ..data_scripts.conftest import fresh_cache

__all__ = ["fresh_cache"]
