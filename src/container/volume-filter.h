/* --filter of volumes: name, driver, scope, label, opt, dangling. */
#pragma once

#include "store/volume.h"

/* Are all of them known? `"bogus" is an invalid volume filter`. */
int volume_filter_check(char *const *filters, struct error *err);
/* "key=value" each, all of which must match. 1 fits, 0 does not. */
int volume_filter_match(struct store *s, const struct volume *v, char *const *filters,
                        struct error *err);
/* Removes the volumes that match and that no container uses; their names are added to *ret (the
 * caller frees), also on error. */
int volume_prune(struct store *s, char *const *filters, char ***ret, struct error *err);
/* Bytes of the files in it. */
int64_t volume_size(const struct volume *v);
