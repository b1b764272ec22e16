# syntax=docker/dockerfile:1
#
#   docker build -t venom .
#   docker run --rm -v venom:/data venom token create me --role admin
#   docker run -d --name venom --stop-timeout 90 -p 127.0.0.1:8000:8000 -v venom:/data venom
#
# Requests need that token: it listens to all addresses of the container. It speaks plain HTTP unless it is given a
# certificate: publish it on this machine only, or behind a proxy.

# The Debian of both stages is the same, so that the program finds the C library it was built for.
FROM rust:1.94-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin venom \
    && install target/release/venom /usr/local/bin/venom

FROM debian:bookworm-slim
# tini: process 1 has to reap what scripts leave behind. ca-certificates: for webhooks and models.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* \
    # A new volume takes its owner from here.
    && install -d -o 10001 -g 10001 -m 700 /data
COPY --from=build /usr/local/bin/venom /usr/local/bin/venom

# Within the container; what of it is reachable is said by `docker run -p`.
ENV VENOM_HOST=0.0.0.0 \
    VENOM_DATABASE_PATH=/data/venom.db \
    STATE_FILE_PATH=/data/state_dump.json
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# It asks the Writer, so a service that hangs is not healthy.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["venom", "status", "--ready"]
ENTRYPOINT ["tini", "--", "venom"]
CMD ["serve"]
