/* "docker://quay.io/app", "oci-archive:/tmp/a.tar:name", "/tmp/x", "busybox": what kind of place a
 * source or destination of an image is. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "store/layout.h"

enum transport_kind {
    TRANSPORT_REGISTRY,
    TRANSPORT_DIRECTORY,
    TRANSPORT_ARCHIVE,
};

struct transport {
    enum transport_kind kind;
    enum layout layout; /* of a directory or archive */
    const char *name;   /* "docker", "oci-archive", ... */
    char *path;         /* reference in a registry, or file or directory */
    char *ref;          /* which image in an archive or OCI layout; NULL: not said */
    bool explicit;      /* the transport was written */
};
#define _cleanup_transport_ _cleanup_(transport_clear)

/* Other transports of containers/image are refused by name. */
int transport_parse(const char *text, struct transport *ret, struct error *err);
void transport_clear(struct transport *t);
