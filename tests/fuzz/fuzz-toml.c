/* A configuration file: settings come out, or one error that names the line. */
#include "store/toml.h"

#include <string.h>

#include "base/strv.h"
#include "fuzz.h"

static int setting(void *context, const char *table, const char *key, char *const *values,
                   struct error *err)
{
    size_t *bytes = context;
    *bytes += strlen(table) + (key ? strlen(key) : 0) + strv_length(values);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    struct error err = {0};
    size_t bytes = 0;
    if (toml_parse(text, "input", setting, &bytes, &err) < 0 && !strstr(err.text, "input: line "))
        abort();
    return 0;
}
