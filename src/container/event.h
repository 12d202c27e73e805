/* Events of containers, see store/event.h. */
#pragma once

#include "container/container.h"

/* Writes down that `status` ("create", "start", ...) happened to it. */
void container_event(const struct container *c, const char *status);
/* "died", with the exit code of the last run. */
void container_event_died(const struct container *c);
