# The only list of commands; CI calls the same ones. `just` alone prints it.

default:
    @just --list

# Everything on this machine, and a site's day played on it
demo *options:
    cargo demo {{options}}

# All that CI checks
verify:
    cargo verify

# Tests on servers of their own; options go to the test runner: `just test -p ticket`
test *options:
    cargo xtask test {{options}}

# Faults on real processes: `just chaos --seeds 5`, `just chaos --only F4 --seed 7`, `just chaos --mistakes`
chaos *options:
    cargo chaos {{options}}

# The API asked by its own document, for answers that it does not promise
api-test:
    cargo xtask api-test

# After changing a checked query or a migration
prepare:
    cargo xtask prepare

# Formats everything
fmt:
    cargo fmt --all

# What the compiler and the lints say
lint:
    SQLX_OFFLINE=true cargo clippy --workspace --all-targets -- -D warnings

# Figures beside the machine's limit and other programs': `just bench --only P3`
bench *options:
    cargo bench-all {{options}}
