# The program on a slim Debian: `docker build -t lapwing .` makes it, in minutes the first time and after a
# change of dependencies, else in one or two.
#
# Targets: `lapwing` (what is made without --target), `prebuilt` (out of a folder that holds a `lapwing` made on
# this machine).

ARG RUST_IMAGE=rust:1.95-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build
# Dependencies change seldom, sources often: a layer each. The first is built under empty sources, one for each
# target that the manifest names.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir src && touch src/lib.rs \
    && for path in $(sed -n 's/^path = "\(.*\)"$/\1/p' Cargo.toml); do \
        mkdir -p "$(dirname "$path")" && echo 'fn main() {}' >"$path" || exit; \
    done \
    && cargo build --release --locked \
    && rm -r src
COPY migrations migrations
COPY templates templates
COPY src src
# Cargo goes by times, and those of the sources are older than the layer.
RUN touch src/lib.rs src/main.rs && cargo build --release --locked

# Where the program runs: nothing but it, the certificates that relays and registries are checked by, and a user.
FROM ${DEBIAN_IMAGE} AS base
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
    && groupadd --gid 10001 lapwing \
    && useradd --uid 10001 --gid lapwing --home-dir /var/lib/lapwing --shell /usr/sbin/nologin lapwing \
    && install -d -o lapwing -g lapwing -m 0750 /var/lib/lapwing
WORKDIR /var/lib/lapwing
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["lapwing"]
CMD ["serve"]

FROM base AS lapwing
COPY --from=build /build/target/release/lapwing /usr/local/bin/lapwing

FROM base AS prebuilt
COPY lapwing /usr/local/bin/lapwing

# What is made where no target is named.
FROM lapwing
