/* Network namespaces with a name: a file that keeps one alive without a process in it. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

/* Makes a new one at `path`, whose directory is made, too. The caller stays in its own. */
int netns_make(const char *path, struct error *err);
/* Takes the name away; the namespace goes with its last process. A missing one is success. */
int netns_remove(const char *path, struct error *err);
/* Is there a namespace behind the name? */
bool netns_exists(const char *path);
/* Its addresses of IPv4 beside the loopback's: [{"interface": "eth0", "address": "10.0.2.100",
 * "bits": 24}]. */
int netns_addresses(const char *path, struct json **ret, struct error *err);
/* A socket that lives in there, or -errno. */
int netns_socket(const char *path, int family, int type, int protocol);
