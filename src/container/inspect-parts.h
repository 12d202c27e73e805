/* The larger parts of `container inspect`; used by inspect.c only. */
#pragma once

#include "container/container.h"

struct json *inspect_mounts(struct container *c);
struct json *inspect_config(struct container *c);
struct json *inspect_host_config(struct container *c);
