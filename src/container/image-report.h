/* Images as `inspect` and `images --format json` show them. */
#pragma once

#include "base/error.h"
#include "base/json.h"

struct firn;
struct image;

/* Podman's `image inspect` object. */
int image_report_inspect(struct firn *firn, const char *name, struct json **ret, struct error *err);
/* An element of `images --format json`. */
struct json *image_report_entry(const struct image *i, size_t containers);
