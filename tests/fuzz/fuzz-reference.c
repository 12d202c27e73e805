/* A reference: what is accepted comes out of its own text again, the same. */
#include "store/reference.h"

#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_free_ char *full = NULL, *again = NULL;
    struct error err = {0};
    if (reference_normalize(text, &full, &err) < 0) {
        if (!*err.text)
            abort();
        return 0;
    }
    if (reference_normalize(full, &again, &err) < 0 || strcmp(full, again) != 0)
        abort();
    return 0;
}
