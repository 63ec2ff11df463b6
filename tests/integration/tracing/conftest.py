"""The downloader's fixtures: its servers, simulator and settings."""

from tests.integration.downloader.fixtures import bench, pdpj, simulator

__all__ = ["bench", "pdpj", "simulator"]
