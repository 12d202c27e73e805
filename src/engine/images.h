/* Writes what the look found into the checkpoint's images. Internal to engine/. */
#pragma once

#include "engine/dump.h"
#include "engine/resources/resource.h"

/* pstree, core, ids, mm, fs, fdinfo, seccomp. */
int images_write_tasks(struct dump *d, struct error *err);
/* files and what the resources keep besides. */
int images_write_files(struct dump *d, struct error *err);
/* inventory, host, utsns. */
int images_write_inventory(struct dump *d, struct error *err);
