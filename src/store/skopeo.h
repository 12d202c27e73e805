/* Running skopeo: skopeo.c is the only file that knows its command line. */
#pragma once

#include "base/buf.h"
#include "store/registry.h"

/* An auth file that was asked for must be there, also where skopeo would go on without. */
int skopeo_check_authfile(const struct registry_options *o, struct error *err);
/* `skopeo copy FROM TO`. Its lines go to o->progress, its complaint becomes the error. `push` says
 * which side the credentials of `o` are for. */
int skopeo_copy(const char *from, const char *to, bool push, const struct registry_options *o,
                struct error *err);
/* `skopeo inspect --raw`: the manifest (or the list of them) as the registry has it. */
int skopeo_manifest(const char *from, const struct registry_options *o, struct buf *ret,
                    struct error *err);
/* `skopeo list-tags`: the tags of "docker://domain/path" (the caller frees). */
int skopeo_tags(const char *repository, const struct registry_options *o, char ***ret,
                struct error *err);
