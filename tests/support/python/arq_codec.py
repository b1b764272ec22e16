"""How jobs and results become bytes: for each codec what ARQ calls job_serializer and job_deserializer."""

import json

import msgpack

CODECS = {
    "pickle": (None, None),  # ARQ's own
    "json": (lambda value: json.dumps(value).encode(), json.loads),
    "msgpack": (msgpack.packb, lambda text: msgpack.unpackb(text, raw=False)),
}
