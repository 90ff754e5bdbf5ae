"""The one door for settings: every knob of the service, with its unit and its default.

Values come from `TOKENLEDGER_*` environment variables and from nowhere else, so that a running
service can be explained by its environment. Without a database URL an embedded PostgreSQL in
`data_dir` serves. No other module reads the environment.
"""

from pathlib import Path
from typing import Annotated, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one process; read once at start and handed down explicitly."""

    model_config = SettingsConfigDict(
        env_prefix="TOKENLEDGER_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    #: What the service connects with; None starts the embedded PostgreSQL.
    database_url: str | None = None
    #: What migrations and key management connect with; None means the same as `database_url`.
    admin_database_url: str | None = None
    #: Where the embedded PostgreSQL and everything else this machine keeps lives.
    data_dir: Path = Path(".tokenledger")

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    #: Largest body of a single command.
    body_bytes_max: Annotated[int, Field(ge=1_024)] = 262_144
    #: Largest body of one bulk request.
    bulk_body_bytes_max: Annotated[int, Field(ge=1_024)] = 33_554_432

    #: Connections at a time; a process may open this many files, and some more.
    connections_max: Annotated[int, Field(ge=1)] = 1_000
    #: How long a client may take for the headers of a request.
    headers_within_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    #: How long a client may take for the body of a request.
    body_within_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    #: How long a single command waits for its commit until its client is told 503: retry.
    answer_within_s: Annotated[float, Field(gt=0, le=60)] = 3.0
    #: Bytes of bodies that may be held at a time, of those that do not come with their headers.
    bodies_bytes_max: Annotated[int, Field(ge=1_024)] = 268_435_456
    #: Questions of one key that may wait for `min_position` at a time.
    waiting_reads_max: Annotated[int, Field(ge=1)] = 32
    #: The bearer key of whoever reads `/metrics`. Without one it is open on a loopback address,
    #: and closed on any other.
    metrics_key: SecretStr | None = None

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    #: Commands that may wait at a book's sequencer; one more is answered 503.
    queue_commands_max: Annotated[int, Field(ge=1)] = 16_384
    #: Bytes of commands that may wait there, as clients sent them.
    queue_bytes_max: Annotated[int, Field(ge=1_048_576)] = 67_108_864
    #: Commands that pass the sequencer in one transaction.
    batch_commands_max: Annotated[int, Field(ge=1, le=4_096)] = 4_096
    #: Bytes of commands that pass the sequencer in one transaction.
    batch_bytes_max: Annotated[int, Field(ge=65_536)] = 8_388_608
    #: Entity states kept in memory per book.
    cache_entities_max: Annotated[int, Field(ge=1)] = 200_000
    #: Notices of a book that may wait for what they speak of; one more is answered 503.
    parked_notices_max: Annotated[int, Field(ge=1)] = 100_000
    #: Connections that the writers of all books share, per process.
    write_connections_max: Annotated[int, Field(ge=2)] = 32
    #: After so long without a command a book's writer ends and drops its cache.
    writer_idle_s: Annotated[float, Field(ge=0.1)] = 60.0
    #: Connections over which one process keeps the read models of all books up to date.
    projection_connections_max: Annotated[int, Field(ge=1)] = 4
    #: Read connections per process.
    read_connections_max: Annotated[int, Field(ge=1)] = 8
    #: How long an API key's answer is remembered; a revoked key works no longer than this.
    key_cache_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    #: How long a query waits for `min_position` when the client does not say.
    read_wait_s: Annotated[float, Field(ge=0, le=60)] = 2.0

    #: Where Kafka is: host:port, several with commas between them.
    kafka_bootstrap: Annotated[str, Field(pattern=r"^[^,\s]+:\d+(,[^,\s]+:\d+)*$")] = (
        "127.0.0.1:9092"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] | None = None
    kafka_username: str | None = None
    kafka_password: str | None = None
    #: PEM files: whom to trust, and who we are.
    kafka_ca_file: str | None = None
    kafka_certificate_file: str | None = None
    kafka_key_file: str | None = None
    #: Partitions and replicas of the topics that we make.
    kafka_partitions: Annotated[int, Field(ge=1, le=1_000)] = 12
    kafka_replication: Annotated[int, Field(ge=1, le=9)] = 1
    #: How long a consumer may say nothing until its partitions are given to others.
    kafka_session_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    #: How long a relay that says nothing keeps its turn.
    relay_lease_s: Annotated[float, Field(ge=0.5, le=300)] = 10.0

    @field_validator("database_url", "admin_database_url")
    @classmethod
    def _must_be_postgres(cls, url: str | None) -> str | None:
        try:
            conninfo_to_dict(url or "")
        except psycopg.ProgrammingError as error:
            raise ValueError(str(error)) from None
        return url


def load() -> Settings:
    """Read the environment; raises `pydantic.ValidationError` naming every wrong variable."""
    return Settings()
