#pragma once

#include "container/container.h"
#include "container/create-options.h"

/* Everything `create` does: finds or pulls the image, makes the config and the directories, writes
 * the record, the cidfile. With replace, removes the container that has the name first and returns
 * its id in ret_replaced (the caller frees; may be NULL). On failure nothing is left. */
int container_create(struct firn *firn, const struct create_options *options,
                     struct container **ret, char **ret_replaced, struct error *err);

/* For imports: the record and the directories from a ready-made config document (see config.h).
 * Takes the config over. */
int container_create_from_config(struct firn *firn, struct json *config, struct container **ret,
                                 struct error *err);
