/* This host and this store, as `firn info` shows them. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "container/firn.h"

/* Podman's `info` object. */
int info_describe(struct firn *firn, struct json **ret, struct error *err);
/* What Go calls the machine that uname(2) names: "amd64" for x86_64. */
const char *info_architecture(const char *machine);
