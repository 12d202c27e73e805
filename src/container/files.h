/* The small files firn makes for a container and binds into it: /etc/hosts, /etc/resolv.conf,
 * /etc/hostname, /run/.containerenv. They live in the container's directory. */
#pragma once

#include "container/container.h"

int files_write(struct container *c, struct error *err);
