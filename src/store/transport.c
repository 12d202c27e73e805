#include "store/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"

static const struct {
    const char *prefix, *name;
    enum transport_kind kind;
    enum layout layout;
} known[] = {
    {"docker://", "docker", TRANSPORT_REGISTRY, LAYOUT_NONE},
    {"docker-archive:", "docker-archive", TRANSPORT_ARCHIVE, LAYOUT_DOCKER},
    {"oci-archive:", "oci-archive", TRANSPORT_ARCHIVE, LAYOUT_OCI},
    {"oci:", "oci", TRANSPORT_DIRECTORY, LAYOUT_OCI},
    {"dir:", "dir", TRANSPORT_DIRECTORY, LAYOUT_DIR},
};

static const char *const unsupported[] = {
    "containers-storage:", "docker-daemon:", "ostree:", "sif:", "tarball:", "atomic:"};

static int refuse(const char *text, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
        if (string_starts(text, unsupported[i]))
            return error_kind_set(err, ERROR_USAGE,
                                  "transport \"%.*s\" is not supported, only docker, "
                                  "docker-archive, oci, oci-archive and dir are",
                                  (int)strlen(unsupported[i]) - 1, text);
    return 0;
}

int transport_parse(const char *text, struct transport *ret, struct error *err)
{
    struct transport t = {.kind = TRANSPORT_REGISTRY, .name = "docker"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const char *rest = string_after(text, known[i].prefix);
        if (!rest)
            continue;
        t = (struct transport){.kind = known[i].kind,
                               .layout = known[i].layout,
                               .name = known[i].name,
                               .explicit = true};
        text = rest;
        break;
    }
    int r = t.explicit ? 0 : refuse(text, err);
    if (r < 0)
        return r;
    const char *colon = t.layout == LAYOUT_OCI || t.layout == LAYOUT_DOCKER ? strchr(text, ':') : 0;
    t.path = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
    t.ref = colon && colon[1] ? xstrdup(colon + 1) : NULL;
    *ret = t;
    return 0;
}

void transport_clear(struct transport *t)
{
    free(t->path);
    free(t->ref);
}
