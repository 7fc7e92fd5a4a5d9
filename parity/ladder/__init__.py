"""The project's own models run rung by rung, and the records on disk that result."""
