from tests.load.sql.conftest import databases

__all__ = ["databases"]
