/* slirp4netns: a private network for an ordinary user's container, 10.0.2.0/24 behind the host.
 * slirp4netns.c is the only file that knows it and the socket it takes orders by. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"

#define SLIRP4NETNS_DNS "10.0.2.3"

/* Connects the namespace and publishes `ports` (see port.h; IPv4 only). Returns when all is in
 * place. `directory` is where `socket` and `log`, names of files, are made. */
int slirp4netns_start(const char *netns, const struct json *ports, const char *directory,
                      const char *socket, const char *log, struct process *ret_process,
                      struct error *err);
