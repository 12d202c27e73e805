#include "cli/network-report.h"

#include "container/firn.h"

struct json *network_report(const struct network *n)
{
    return js_copy(n->document);
}

int network_report_inspect(struct firn *firn, const char *name, struct json **ret,
                           struct error *err)
{
    _cleanup_network_ struct network *n = NULL;
    int r = network_lookup(firn->store, name, &n, err);
    if (r < 0)
        return r;
    *ret = network_report(n);
    return 0;
}
