/* Namespaces that processes have made for themselves inside the container. */
#pragma once

#include "base/error.h"

struct dump;

/* Refuses processes and threads that live in other namespaces than init, or whose children will. */
int dump_check_namespaces(struct dump *d, struct error *err);
