/* Query keys that hold JSON. */
#pragma once

#include "base/error.h"

/* {"name": ["x"], "label": {"a=b": true}}, as Podman's and Docker's clients send it, becomes
 * "name=x", "label=a=b": what --filter takes (base/strv.h; the caller frees). NULL: none. */
int filters_parse(const char *text, char ***ret, struct error *err);
