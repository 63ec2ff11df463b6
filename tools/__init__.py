"""Programs for those who work on Autos: generators of docs, sizing, benchmarks."""
