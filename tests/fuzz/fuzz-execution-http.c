/* A request of a worker: what is taken has a method, a path and an object, and is taken again, the
 * same, whatever follows it. */
#include "execution/http.h"

#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_buf_ struct buf in = {0};
    _cleanup_http_request_ struct http_request first = {0}, again = {0};
    struct error err = {0};
    buf_add(&in, data, size);
    int r = http_parse(&in, &first, &err);
    if (r < 0 && !*err.text)
        abort();
    if (r <= 0)
        return 0;
    if (!*first.method || !*first.path || !js_is_object(first.body))
        abort();
    buf_add(&in, "x", 1);
    if (http_parse(&in, &again, &err) != 1 || strcmp(first.path, again.path) != 0 ||
        !js_equal(first.body, again.body))
        abort();
    return 0;
}
