/* JSON values as YAML, in the style of Go's yaml package, for `firn info`. */
#pragma once

#include "base/buf.h"
#include "base/json.h"

void yaml_write(const struct json *value, struct buf *out);
