/* Volumes as `volume inspect` and `volume ls` show them. */
#pragma once

#include "base/error.h"
#include "base/json.h"

struct firn;
struct volume;

struct json *volume_report(const struct volume *v);
int volume_report_inspect(struct firn *firn, const char *name, struct json **ret,
                          struct error *err);
