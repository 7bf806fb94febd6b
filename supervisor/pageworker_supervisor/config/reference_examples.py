"""The part of docs/configuration.md that explains, with examples, which value of a setting counts. Pure."""

PATHS_FILE = """\
[worker]
data_dir = "data"
[modules]
registry = "../registry"
trusted_keys = ["keys/release.pub", "~/keys/canary.pub"]
"""

ORDER_FILE = """\
[pool]
runners = 6
pages = 2
[tenants.acme]
weight = 3
concurrency = 20
"""
ORDER_VARIABLES = {
    "PAGEWORKER_POOL__RUNNERS": "8",
    "PAGEWORKER_TENANTS": '{"acme": {"weight": 5}, "beta": {}}',
}

GLOBS_FILE = """\
[tenants."*"]
concurrency = 5
[tenants."acme-*"]
concurrency = 20
weight = 2
[tenants."acme-*-test"]
concurrency = 1
[tenants.acme-eu]
weight = 4
"""

CHAPTERS = f"""\
## Which value counts

**Order.** A setting has the value of the last of these that names it: its default, the file, the central configuration,
an environment variable. Tables are joined key by key, down to the single setting. With this file

```toml
{ORDER_FILE}```

and these variables

```sh
{"".join(f"export {name}='{value}'" + chr(10) for name, value in ORDER_VARIABLES.items())}```

the worker has `pool.runners = 8` (variable), `pool.pages = 2` (file) and `pool.max_jobs = 1000` (default). Tenant
`acme` has `weight = 5` (variable) and `concurrency = 20` (file). Tenant `beta` exists, with defaults alone. A list is
replaced as a whole. `workerctl config show` prints the result.

**Relative paths.** A path in the file counts from the folder of the file, so the file and its folder can be moved
together. A path in a variable or an option counts from the working directory. `~` is the home folder. In
`/etc/pageworker/pageworker.toml`,

```toml
{PATHS_FILE}```

means `/etc/pageworker/data`, `/etc/registry`, `/etc/pageworker/keys/release.pub` and a file in the home folder of the
worker's user. The base64 line of a key and a URL are no paths.

**Names and globs.** The keys of `[tenants]`, `[domains]` and `[profiles.page]` are names or globs: `*` matches any
characters, `?` matches one. One key counts for a name: the name itself, else the longest glob that matches, else the
first of equally long ones in alphabetical order. The others are not read, not even for settings that the chosen key
leaves out: those have their defaults. With

```toml
{GLOBS_FILE}```

| tenant | key | weight | concurrency |
|---|---|---|---|
| `acme-eu` | `acme-eu` | 4 | 1000, the default |
| `acme-us` | `acme-*` | 2 | 20 |
| `acme-us-test` | `acme-*-test` | 1, the default | 1 |
| `beta` | `*` | 1, the default | 5 |

A job of a tenant that no key matches is rejected (`unknown_tenant`). Without a table `[tenants]` there is one key, `*`,
with defaults.
"""
