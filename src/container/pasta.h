/* pasta (package passt): a private network for an ordinary user's container. It takes the addresses
 * of the host over and passes connections on. pasta.c is the only file that knows it. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"

/* Where the container finds the host's name servers when they listen on the host's loopback. */
#define PASTA_DNS "169.254.1.1"

/* Connects the namespace to the host's network and publishes `ports` (see port.h). Returns when all
 * is in place. `log` is a file for what it says. */
int pasta_start(const char *netns, const struct json *ports, const char *log,
                struct process *ret_process, struct error *err);
