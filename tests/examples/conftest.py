from tests.helpers.cache import fresh_cache

__all__ = ["fresh_cache"]
