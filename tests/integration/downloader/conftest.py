"""The fixtures of these tests; tests/chaos has them too."""

from tests.integration.downloader.fixtures import bench, pdpj, simulator

__all__ = ["bench", "pdpj", "simulator"]
