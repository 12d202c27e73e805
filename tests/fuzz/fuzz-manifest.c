/* An image manifest or a list of them. */
#include "store/manifest.h"

#include <string.h>

#include "base/digest.h"
#include "base/strv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_manifest_ struct manifest m = {0};
    struct error err = {0};
    if (manifest_parse((const char *)data, size, &m, &err) < 0) {
        if (!*err.text)
            abort();
        return 0;
    }
    if (!is_sha256_hex(m.config))
        abort();
    STRV_FOREACH(hex, m.layers)
    if (!is_sha256_hex(*hex))
        abort();
    const char *chosen = manifest_is_list(m.json) ? manifest_choose(m.json, NULL, NULL, NULL) : 0;
    if (chosen && !is_sha256_hex(chosen))
        abort();
    return 0;
}
