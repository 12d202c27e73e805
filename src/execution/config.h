/* The JSON config an execution is started from:
 *
 *     {"image": "your-worker-image:latest", "network": "host", "command": ["run", "1"],
 *      "work_dir": "/w", "env": {"A": "1"}, "volumes": ["data:/data"], "ports": ["8080:80"],
 *      "memory": "512m", "cpus": 1.5, "user": "1000", "labels": {"k": "v"}}
 *
 * Only "image" has to be there. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "container/create-options.h"

/* Checks keys and types: `unknown key "imgae" in the execution's config`, `"cpus" of the
 * execution's config must be a number, not a string`. Returns it with the defaults filled in. */
int execution_config_check(struct json *config, struct json **ret, struct error *err);

/* What to create: fills `o` from a checked config. Strings live as long as the config and `*keep`
 * (the caller frees both, and `o` by create_options_free). */
void execution_config_apply(const struct json *config, struct create_options *o, char ***keep);
