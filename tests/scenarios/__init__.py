"""The scenarios of `docs/scenarios.md`, platform by platform, their sentences and stages."""
