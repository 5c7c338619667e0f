# c10k-lab: one network server, rebuilt step by step. `./lab RECIPE` first installs what a recipe needs.

set positional-arguments
set shell := ["bash", "-cu"]

harness := env("CARGO_TARGET_DIR", "target") / "release/harness"
experiment := env("CARGO_TARGET_DIR", "target") / "release/experiment"

# List the recipes.
[private]
default:
    @just --list --unsorted --list-heading $'./lab RECIPE, or just RECIPE where just is on PATH:\n'

# Install what is optional: ab, wrk, nginx, h2o, tsung, mdbook, strace, curl, nc.
[group('learn')]
[no-exit-message]
setup *OPTIONS:
    @./lab setup "$@"

# Job control leaves just out of the terminal's foreground: it would call a Ctrl-C an error.
# Run stage N until Ctrl-C; more words are options of the stage: ./lab stage 5 --trigger edge
[group('learn')]
[no-exit-message]
stage *ARGS: build
    @if [ -t 0 ]; then set -m; fi; {{harness}} stage "$@"; exit $?

# The exercises: where you are and what comes next; ./lab learn NAME opens one and grades it at each save.
[group('learn')]
[no-exit-message]
learn *ARGS: build
    @if [ -t 0 ]; then set -m; fi; {{harness}} learn "$@"; exit $?

# Open the book.
[group('learn')]
[no-exit-message]
notes *OPTIONS:
    @./lab notes-port "$@"
    mdbook serve notes --open "$@"

# Build one folder for any static host: book, report, timelines, slides, EPUB: ./lab book --out DIR
[group('learn')]
[no-exit-message]
book *OPTIONS: build
    @{{harness}} book "$@"

# Write the generated parts of the book again: what each step costs, from results/data, and its diff.
[group('check')]
[no-exit-message]
notes-generate: build
    @{{harness}} notes generate

# Record the system calls of one request by strace, and write them into the book: ./lab notes-calls 4
[group('check')]
[no-exit-message]
notes-calls *STAGES: build
    @{{harness}} notes calls "$@"

# Check that the book agrees with the tree: excerpts, links, commands, figures, terms, generated parts.
[group('check')]
[no-exit-message]
notes-check: build
    @{{harness}} notes check

# Show what changed from one stage to the next, every file of it: ./lab step 5; ./lab step 5 8 --stat
[group('learn')]
[no-exit-message]
step *ARGS: build
    @{{harness}} step "$@"

# Answer the questions of chapter N before you read it: ./lab predict 5; ./lab predict 5 --answer 1=c --answer 2=11
[group('learn')]
[no-exit-message]
predict *ARGS: build
    @{{harness}} predict "$@"

# Measure what chapter N asks, and see your guesses beside it: ./lab reveal 5
[group('learn')]
[no-exit-message]
reveal *ARGS: build
    @{{harness}} reveal "$@"

# Record who waits for whom in stage N, as a page to step through: ./lab timeline 3; ./lab timeline --list
[group('learn')]
[no-exit-message]
timeline *ARGS: build
    @{{harness}} timeline "$@"

# The same for any server that takes a port: ./lab timeline-cmd './mine --port $PORT'
[group('learn')]
[no-exit-message]
timeline-cmd *ARGS: build
    @{{harness}} timeline-cmd "$@"

# Record every timeline of the book again; needs strace, and a machine that allows ptrace.
[group('learn')]
[no-exit-message]
timelines: build
    @{{harness}} timeline all --out notes/src/timelines

# Ask stage N what it can do: ./lab grade 4; ./lab grade 5-mio; ./lab grade 5 --trigger level
[group('judge')]
[no-exit-message]
grade *ARGS: build
    @{{harness}} grade "$@"

# Ask any server that takes a port: ./lab grade-cmd './mine --port $PORT'
[group('judge')]
[no-exit-message]
grade-cmd *ARGS: build
    @{{harness}} grade --cmd "$@"

# Grade every stage, its twins and its variants.
[group('judge')]
[no-exit-message]
grade-all *OPTIONS: build
    @{{harness}} grade all "$@"

# Measure every stage with ab, wrk and webbench, and draw the charts: ./lab bench-all --quick
[group('measure')]
[no-exit-message]
bench-all *OPTIONS: build
    @{{harness}} bench-all "$@"

alias bench := bench-all

# Measure source 002's table again (why does a serial server drop at ten clients?): webbench, 1 to 3,000 clients.
[group('measure')]
[no-exit-message]
table *OPTIONS: build
    @{{harness}} table "$@"

# Ask what a run of everything leaves open: ./lab scenario latency, clients, c10k, cpus, slow, concurrency, … or all.
[group('measure')]
[no-exit-message]
scenario *ARGS: build
    @{{harness}} scenario "$@"

# Draw the charts again from the recorded data.
[group('measure')]
[no-exit-message]
chart *OPTIONS: build
    @{{harness}} chart "$@"

# Draw the charts again and write the pages beside them: README.md, and report.html for a browser.
[group('measure')]
[no-exit-message]
report *OPTIONS: build
    @{{harness}} report "$@"

# Put load on a server that is running: ./lab load http://127.0.0.1:8080/ --rate 1000
[group('measure')]
[no-exit-message]
load *ARGS: build
    @{{harness}} load "$@"

# Show where the time of stage N goes, on a CPU and off it: ./lab profile 7; ./lab profile 7 --load '-c 1 /bytes/4096'
[group('measure')]
[no-exit-message]
profile *ARGS: build
    @{{harness}} profile "$@"

# Count the instructions of a request, compare with results/instructions.json: ./lab instructions --stages 10
[group('measure')]
[no-exit-message]
instructions *ARGS: build
    @{{harness}} instructions "$@"

# Put load on a server from several hosts, by Tsung: ./lab distributed http://web1:8080/ --workers load1=4,load2=4
[group('measure')]
[no-exit-message]
distributed *ARGS: build
    @{{harness}} distributed "$@"

# Say what is missing on this machine, or will distort the figures.
[group('measure')]
[no-exit-message]
doctor *OPTIONS: build
    @{{harness}} doctor "$@"

# Examine a claim of the literature on this machine: ./lab experiment edge-or-level; --list, --all, --all --quick
[group('measure')]
[no-exit-message]
experiment *ARGS: build
    @{{experiment}} "$@"

# Measure the primitives by criterion: wake-ups, timers, parsing, files, spawning, queues: ./lab microbench --quick
[group('measure')]
[no-exit-message]
microbench *OPTIONS:
    cargo bench -p experiments -- "$@"

# Compare stage 07's ring with other queues, without any network.
[group('measure')]
[no-exit-message]
bench-queues *OPTIONS:
    cargo bench -p experiments --bench queues -- "$@"

# Everything that must hold: format, spelling, clippy, documentation, tests, the model check, the probes, a short bench.
[group('check')]
[no-exit-message]
test *OPTIONS: build
    @{{harness}} test "$@"

# Format, clippy, the documentation and the tests of every crate.
[group('check')]
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --quiet -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
    cargo test --workspace --quiet

# Build servers with one mistake each, and see whether the probes and tests catch it: ./lab mutants --list
[group('check')]
[no-exit-message]
mutants *ARGS: build
    @{{harness}} mutants "$@"

# Change kit's protocol and stage 07's ring by a machine, and see whether their tests notice: needs cargo-mutants,
# and hours for all of it. --iterate goes on, --shard 1/8 is a part.
[group('check')]
[no-exit-message]
cargo-mutants *ARGS:
    @cargo mutants --version >/dev/null 2>&1 || { echo 'lab: cargo-mutants is missing: cargo install --locked cargo-mutants' >&2; exit 1; }
    @mkdir -p target/cargo-mutants/ring target/cargo-mutants/kit
    cargo mutants -p lockless-queues -f 'stages/07-lockless-queues/src/ring.rs' -o target/cargo-mutants/ring --timeout 60 "$@" -- --lib --test ring
    cargo mutants -p kit -f 'stages/kit/src/protocol/**' -o target/cargo-mutants/kit --timeout 60 "$@" -- --lib --tests

# Run the stages under AddressSanitizer, and their queues under ThreadSanitizer and Miri: needs a nightly toolchain.
[group('check')]
[no-exit-message]
sanitize *ARGS: build
    @{{harness}} sanitize "$@"

# Check the ring, its parker and stage 12's wake-up path in every order in which their threads could run.
[group('check')]
loom:
    RUSTFLAGS="--cfg loom" cargo test -p lockless-queues -p async-await --test loom --target-dir target/loom --quiet
    @echo 'In every order that loom tried no item was lost, taken twice or read too early, and no wake-up was lost.'

# Check the ring under Miri: needs a nightly toolchain with the miri component.
[group('check')]
miri:
    MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p lockless-queues --test ring

# Build every binary. Only a build that takes its time is announced; the shell that waits must not hold a
# reader's pipe open.
[private]
[no-exit-message]
build:
    @(sleep 3 >/dev/null 2>&1; echo 'lab: building; the first time that takes some minutes' >&2) >/dev/null & word=$!; \
        trap "kill $word 2>/dev/null || true" EXIT; \
        cargo build --release --workspace --bins --quiet
