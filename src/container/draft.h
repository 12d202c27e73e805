/* The parts config_make() is made of: each takes its share of the options into the config document
 * that is being made. Used by config*.c only. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "container/create-options.h"

struct firn;
struct image;

struct draft {
    struct firn *firn;
    const struct create_options *options;
    const struct image *image;
    struct json *config; /* libpod's ContainerConfig */
    struct json *spec;   /* config.spec */
    struct json *own;    /* config.firn: what libpod has no key for */
};

int draft_process(struct draft *d, struct error *err); /* config-process.c: args env cwd user */
int draft_namespaces(struct draft *d,
                     struct error *err); /* namespaces, network, hostname, sysctl */
/* --network and ports; has it a namespace of its own? */
int draft_network(struct draft *d, bool *ret_own_namespace, struct error *err);
int draft_security(struct draft *d, struct error *err); /* capabilities, seccomp, masks */
int draft_devices(struct draft *d, struct error *err);
int draft_resources(struct draft *d, struct error *err); /* cgroup limits and ulimits */
int draft_mounts(struct draft *d, struct error *err);    /* mounts, volumes; after the others */

/* "true", "1", "false", ...: 1, 0 or -EINVAL. NULL (no value given) is true. */
int option_bool(const char *value);
/* The object at `key`, made when missing. */
struct json *draft_object(struct json *parent, const char *key);
/* Splits "key=value"; value NULL without '='. The caller frees *ret_key only; value points into it.
 */
const char *option_split(const char *text, char **ret_key);
